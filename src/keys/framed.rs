//! Bytes that two different lists of parts never share: each part behind its length.

/// The parts, each behind its length in four bytes.
pub fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len().saturating_add(4)).sum();
    let mut bytes = Vec::with_capacity(length);
    for part in parts {
        // A part is a name or an id: never longer than the frame can say.
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}
