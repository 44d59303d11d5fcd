//! Random names and uids that are a function of the seed and of what is named.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/util/rand/rand.go` and
//! `staging/src/k8s.io/apiserver/pkg/storage/names/generate.go`, v1.36.
//! Differs from upstream: the letters come from a hash of the seed, the name and the simulated
//! time instead of a random source, because a run must repeat itself.

/// Consonants and digits that spell no words. Upstream: `rand.alphanums`.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Upstream: `randomLength`.
const SUFFIX_LENGTH: usize = 5;

/// Upstream: `MaxGeneratedNameLength`.
const MAX_BASE_LENGTH: usize = 58;

/// The mixing step of splitmix64: a good 64-bit hash of an integer.
pub(crate) const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A 64-bit hash of some texts, each of them set apart from the next.
pub(crate) fn hash(seed: u64, parts: &[&str]) -> u64 {
    more(mix(seed), parts)
}

/// Goes on with a hash.
pub(crate) fn more(mut state: u64, parts: &[&str]) -> u64 {
    for part in parts {
        for byte in part.bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        state = mix(state);
    }
    state
}

/// `base` with five letters behind it.
pub(crate) fn generate_name(base: &str, mut random: u64) -> String {
    let mut end = base.len().min(MAX_BASE_LENGTH);
    while !base.is_char_boundary(end) {
        end -= 1;
    }
    let mut name = base[..end].to_owned();
    for _ in 0..SUFFIX_LENGTH {
        let n_letters = ALPHABET.len() as u64;
        let letter = usize::try_from(random % n_letters).unwrap_or_default();
        name.push(char::from(ALPHABET[letter]));
        random /= n_letters;
    }
    name
}

/// A version 4 UUID, as a number.
pub(crate) fn uid_bits(seed: u64, number: u64) -> u128 {
    let high = mix(seed ^ mix(number));
    let low = mix(high ^ number);
    let version = (high & 0xffff_ffff_ffff_0fff) | 0x4000;
    let variant = (low & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
    u128::from(version) << 64 | u128::from(variant)
}

/// A version 4 UUID.
pub(crate) fn uid(seed: u64, number: u64) -> String {
    api::uuid_text(uid_bits(seed, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_name_has_five_letters_of_upstreams_alphabet() {
        let name = generate_name("web-", 1234);
        assert_eq!(name.len(), 9);
        assert!(name.as_bytes()[4..].iter().all(|it| ALPHABET.contains(it)));
        assert_eq!(generate_name(&"x".repeat(80), 7).len(), 63);
    }

    #[test]
    fn uids_look_like_version_4_and_differ() {
        let (a, b) = (uid(1, 1), uid(1, 2));
        assert_ne!(a, b);
        assert_eq!(a.len(), 36);
        assert_eq!(&a[14..15], "4");
    }
}
