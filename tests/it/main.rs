//! The proof: one binary, so that the tree is linked once.

#[cfg(test)]
mod oracle;
