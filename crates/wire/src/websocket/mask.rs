//! Masking of client payloads (RFC 6455, 5.3), in place.

/// XORs `payload` with `key`, where the payload's first byte is byte `offset` of the frame's payload. Masking and
/// unmasking are the same operation.
pub(super) fn apply(payload: &mut [u8], mut key: [u8; 4], offset: usize) {
    key.rotate_left(offset % 4);
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn any_split_masks_like_the_definition(payload: Vec<u8>, key: [u8; 4], at: proptest::sample::Index) {
            let by_definition: Vec<u8> = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
            let mut masked = payload;
            let at = at.index(masked.len() + 1);
            let (head, tail) = masked.split_at_mut(at);
            apply(head, key, 0);
            apply(tail, key, at);
            prop_assert_eq!(masked, by_definition);
        }
    }
}
