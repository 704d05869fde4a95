// Follows the signals of a hub with npm `graphql-ws` or `graphql-sse`, as a front-end of a CLB does:
//   HUB_TOKEN=… node follow.mjs ws|sse http://HOST:PORT
// Prints the id of every event on a line of its own, and "ready" once it follows. When the connection is lost it comes
// back by itself, after the last cursor it was told.
import { createClient as createSse } from "graphql-sse";
import { createClient as createWs } from "graphql-ws";
import WebSocket from "ws";

const [transport, url] = process.argv.slice(2);
const token = process.env.HUB_TOKEN;
if (!["ws", "sse"].includes(transport) || !url || !token) {
  console.error("usage: HUB_TOKEN=… node follow.mjs ws|sse http://HOST:PORT");
  process.exit(2);
}
const headers = { Authorization: `Bearer ${token}` };
// Tried again and again, a moment later: the hub may be starting.
const again = { retryAttempts: 1000, retryWait: () => new Promise((done) => setTimeout(done, 100)) };
const client =
  transport === "ws"
    ? createWs({
        url: `${url.replace(/^http/, "ws")}/graphql/ws`,
        webSocketImpl: WebSocket,
        connectionParams: headers,
        shouldRetry: () => true,
        ...again,
      })
    : createSse({ url: `${url}/graphql/stream`, headers, ...again });

// Both clients send this object again when they come back, with the cursor that it has by then.
const request = {
  query: "subscription($after: String) { signals(after: $after) { cursor change { id } } }",
  variables: {},
};
let ready = false;
client.subscribe(request, {
  next: ({ data, errors }) => {
    if (errors) {
      console.error(JSON.stringify(errors));
      process.exit(1);
    }
    request.variables.after = data.signals.cursor;
    if (data.signals.change) console.log(data.signals.change.id);
    if (!ready) console.log("ready");
    ready = true;
  },
  error: (fault) => {
    console.error(fault);
    process.exit(1);
  },
  complete: () => process.exit(0),
});
