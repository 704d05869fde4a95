//! The WSDL of a fake tenant: RPC/encoded, the tenant's own address as namespace, the parts in the vendor's order.

use std::fmt::Write as _;

use quick_xml::escape::escape;

/// A method: its name, its parts with their types, and whether its answer is typed by what is in it.
pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) parts: &'static [(&'static str, &'static str)],
    pub(super) any_type: bool,
}

const CODE: (&str, &str) = ("accesscode", "string");
const WHO: (&str, &str) = ("userIdentifier", "string");
const GROUP: (&str, &str) = ("code", "string");
const DATE: (&str, &str) = ("date", "string");
const YEAR: (&str, &str) = ("schoolYear", "string");

const fn method(name: &'static str, parts: &'static [(&'static str, &'static str)]) -> Method {
    Method {
        name,
        parts,
        any_type: false,
    }
}

const fn any(name: &'static str, parts: &'static [(&'static str, &'static str)]) -> Method {
    Method {
        name,
        parts,
        any_type: true,
    }
}

/// The methods that read (school-apis §1.3), with the types of their answers (§1.2).
pub(super) const METHODS: &[Method] = &[
    method("getReferenceField", &[CODE]),
    any("getAllGroupsAndClasses", &[CODE]),
    method("getClassList", &[CODE]),
    method("getClassListJson", &[CODE]),
    any("getSchoolyearDataOfClass", &[CODE, ("classCode", "string")]),
    any("getClassTeachers", &[CODE, ("getAllOwners", "boolean")]),
    any("getAllAccounts", &[CODE, GROUP, ("recursive", "string")]),
    any("getAllAccountsExtended", &[CODE, GROUP, ("recursive", "string")]),
    method("getUserDetails", &[CODE, WHO]),
    method("getUserDetailsByNumber", &[CODE, ("number", "string")]),
    method("getUserDetailsByUsername", &[CODE, ("username", "string")]),
    method("getUserDetailsByScannableCode", &[CODE, ("scannableCode", "string")]),
    method("getUserOfficialClass", &[CODE, WHO, DATE]),
    method("getStudentCareer", &[CODE, WHO]),
    method("getAbsents", &[CODE, WHO, YEAR]),
    method("getAbsentsWithAlias", &[CODE, WHO, YEAR]),
    method("getAbsentsByDate", &[CODE, DATE]),
    method("getAbsentsWithAliasByDate", &[CODE, DATE]),
    method("getAbsentsWithInternalNumberByDate", &[CODE, DATE]),
    method("getAbsentsWithUsernameByDate", &[CODE, DATE]),
    method("getAbsentsByDateAndGroup", &[CODE, DATE, GROUP]),
    method("returnJsonErrorCodes", &[]),
    method("returnCsvErrorCodes", &[]),
];

/// The document.
pub(super) fn document(url: &str) -> String {
    let url = escape(url);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<definitions name=\"V3\" targetNamespace=\"{url}\" xmlns:tns=\"{url}\" \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:soap=\"http://schemas.xmlsoap.org/wsdl/soap/\" \
         xmlns=\"http://schemas.xmlsoap.org/wsdl/\">\n"
    );
    // Writing to a string cannot fail.
    for one in METHODS {
        let _written = write!(text, "<message name=\"{}Request\">", one.name);
        for (name, kind) in one.parts {
            let _written = write!(text, "<part name=\"{name}\" type=\"xsd:{kind}\"/>");
        }
        let kind = if one.any_type { "anyType" } else { "string" };
        let _written = writeln!(
            text,
            "</message><message name=\"{}Response\"><part name=\"return\" type=\"xsd:{kind}\"/></message>",
            one.name
        );
    }
    text.push_str("<portType name=\"V3Port\">\n");
    for one in METHODS {
        let _written = writeln!(
            text,
            "<operation name=\"{0}\"><input message=\"tns:{0}Request\"/><output message=\"tns:{0}Response\"/></operation>",
            one.name
        );
    }
    text.push_str(
        "</portType>\n<binding name=\"V3Binding\" type=\"tns:V3Port\">\
         <soap:binding style=\"rpc\" transport=\"http://schemas.xmlsoap.org/soap/http\"/>\n",
    );
    let body = format!(
        "<soap:body use=\"encoded\" encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\" namespace=\"{url}\"/>"
    );
    for one in METHODS {
        let _written = writeln!(
            text,
            "<operation name=\"{0}\"><soap:operation soapAction=\"{url}#{0}\"/><input>{body}</input><output>{body}</output></operation>",
            one.name
        );
    }
    let _written = write!(
        text,
        "</binding>\n<service name=\"V3\"><port name=\"V3Port\" binding=\"tns:V3Binding\">\
         <soap:address location=\"{url}\"/></port></service>\n</definitions>\n"
    );
    text
}
