//! The source of the workspace, read as text and as syntax.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use syn::visit::Visit;

/// One Rust file.
pub(crate) struct Source {
    /// From the root of the workspace, with `/`.
    pub(crate) path: String,
    /// As it stands.
    pub(crate) text: String,
    /// As Rust reads it.
    pub(crate) syntax: syn::File,
}

impl Source {
    /// Reads a file's text; tests plant violations this way.
    pub(crate) fn of(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            syntax: syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}")),
        }
    }

    /// The module of its crate: `src/http/limits.rs` is `[http, limits]`, `src/lib.rs` is `[]`.
    pub(crate) fn module(&self) -> Vec<String> {
        let inside = self
            .path
            .rsplit_once("src/")
            .map_or(self.path.as_str(), |(_, inside)| inside);
        let mut parts: Vec<String> = inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if parts
            .last()
            .is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str()))
        {
            parts.pop();
        }
        parts
    }

    /// Every path this file writes: in `use`, in types and expressions, in macro calls; `crate`,
    /// `self` and `super` resolved, so that `super::sql` in `src/store/db.rs` is `crate::store::sql`.
    pub(crate) fn paths(&self) -> BTreeSet<Vec<String>> {
        let mut paths = Paths {
            module: self.module(),
            found: BTreeSet::new(),
        };
        paths.visit_file(&self.syntax);
        paths.found
    }
}

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder of the workspace; none if the folder is not there.
pub(crate) fn below(folder: &str) -> Vec<Source> {
    let mut files = Vec::new();
    collect(&root().join(folder), &mut files);
    files.sort();
    files
        .iter()
        .map(|file| {
            let path = file.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            Source::of(&path, &std::fs::read_to_string(file).unwrap())
        })
        .collect()
}

/// Every Rust file of ours.
pub(crate) fn all() -> Vec<Source> {
    ["src", "entities", "graphql", "connectors", "tests"]
        .iter()
        .flat_map(|folder| below(folder))
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            // Built or fetched things, and the forgeries, which are meant not to compile.
            if !["target", "node_modules", "forge"].contains(&name.as_str()) {
                collect(&path, files);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

struct Paths {
    module: Vec<String>,
    found: BTreeSet<Vec<String>>,
}

impl Paths {
    fn add(&mut self, path: &[String]) {
        let mut resolved = match path.first().map(String::as_str) {
            Some("self" | "super") => {
                let mut resolved = vec!["crate".to_owned()];
                resolved.extend(self.module.iter().cloned());
                resolved
            }
            _ => Vec::new(),
        };
        for part in path {
            match part.as_str() {
                "self" if !resolved.is_empty() => {}
                "super" => {
                    resolved.pop();
                }
                _ => resolved.push(part.clone()),
            }
        }
        self.found.insert(resolved);
    }

    fn add_use(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| {
            let mut path = before.to_vec();
            path.push(name.to_string());
            path
        };
        match tree {
            syn::UseTree::Path(part) => self.add_use(&with(&part.ident), &part.tree),
            syn::UseTree::Name(name) if name.ident == "self" => self.add(before),
            syn::UseTree::Name(name) => self.add(&with(&name.ident)),
            syn::UseTree::Rename(name) => self.add(&with(&name.ident)),
            syn::UseTree::Glob(_) => self.add(before),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.add_use(before, item)),
        }
    }

    /// A macro's arguments are no syntax yet: `a :: b :: c` is looked for among the tokens.
    fn add_tokens(&mut self, tokens: proc_macro2::TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                proc_macro2::TokenTree::Ident(ident) => {
                    if colons != 2 && !path.is_empty() {
                        self.add(&std::mem::take(&mut path));
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                proc_macro2::TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    if !path.is_empty() {
                        self.add(&std::mem::take(&mut path));
                    }
                    colons = 0;
                    if let proc_macro2::TokenTree::Group(group) = other {
                        self.add_tokens(group.stream());
                    }
                }
            }
        }
        if !path.is_empty() {
            self.add(&path);
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_use(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(&parts);
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.add_tokens(call.tokens.clone());
        syn::visit::visit_macro(self, call);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        // `mod x;` is another file; `mod x { … }` is here, and `super` in it means this file.
        if item.content.is_some() {
            self.module.push(item.ident.to_string());
            syn::visit::visit_item_mod(self, item);
            self.module.pop();
        }
    }
}

#[test]
fn paths_are_found_wherever_they_stand() {
    let source = Source::of(
        "src/http/limits.rs",
        "use super::{service::Service, x}; use crate::app::{self, Hub as H};
         fn f(a: sea_orm::Value) { std::fs::read(\"\"); log!(1, { crate::store::x(b) }); }
         mod tests { use super::*; fn g() { super::super::y(); } }",
    );
    assert_eq!(source.module(), ["http", "limits"]);
    let found: BTreeSet<String> = source.paths().iter().map(|path| path.join("::")).collect();
    for expected in [
        "crate::http::service::Service",
        "crate::http::x",
        "crate::app",
        "crate::app::Hub",
        "sea_orm::Value",
        "std::fs::read",
        "crate::store::x",
        "crate::http::limits",
        "crate::http::y",
    ] {
        assert!(found.contains(expected), "{expected} is not in {found:?}");
    }
}
