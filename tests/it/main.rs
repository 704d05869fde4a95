//! The proof: one binary, so that the tree is linked once.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod migrations;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod privacy;
#[cfg(test)]
mod support;
