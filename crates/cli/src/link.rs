//! Links as the page makes them: base64url of raw deflate of JSON.

use miniz_oxide::{deflate, inflate};
use view::{LINK_MAX_BYTES, LINK_PREFIX, LinkState};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The fragment of a link, with the `#`.
pub(crate) fn encode(state: &LinkState) -> Result<String, String> {
    let json = serde_json::to_vec(state).map_err(|error| error.to_string())?;
    let packed = deflate::compress_to_vec(&json, 10);
    Ok(format!("#{LINK_PREFIX}{}", to_base64url(&packed)))
}

/// What a link holds; anything before the `#` is ignored.
pub(crate) fn decode(link: &str) -> Result<LinkState, String> {
    let fragment = link.rsplit('#').next().unwrap_or_default();
    let Some(payload) = fragment.strip_prefix(LINK_PREFIX) else {
        let version: String = fragment.chars().take_while(|it| *it != '.').take(8).collect();
        return Err(format!("this link has format `{version}`; this program reads format `1z`"));
    };
    let packed = from_base64url(payload).ok_or("the link is damaged: not base64url")?;
    let json = inflate::decompress_to_vec_with_limit(&packed, LINK_MAX_BYTES)
        .map_err(|error| format!("the link is damaged: {error}"))?;
    serde_json::from_slice(&json).map_err(|error| format!("the link is damaged: {error}"))
}

fn to_base64url(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + 3);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..=chunk.len() {
            let index = (bits >> (18 - 6 * place)) & 63;
            text.extend(
                usize::try_from(index)
                    .ok()
                    .and_then(|it| ALPHABET.get(it))
                    .map(|it| char::from(*it)),
            );
        }
    }
    text
}

fn from_base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut n_bits) = (0u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let value = ALPHABET.iter().position(|it| *it == byte)?;
        bits = (bits << 6 | u32::try_from(value).ok()?) & 0xffff;
        n_bits += 6;
        if n_bits >= 8 {
            n_bits -= 8;
            bytes.push(u8::try_from(bits >> n_bits & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use view::{LinkFile, LinkState, TimedAction};

    use super::{decode, encode, from_base64url, to_base64url};

    #[test]
    fn a_link_gives_back_what_went_in() {
        let state = LinkState {
            files: vec![LinkFile { name: "a".into(), text: "kind: Pod\n".repeat(50) }],
            actions: vec![TimedAction {
                at_ms: 5,
                command: "fail node n1".into(),
                yaml: String::new(),
            }],
            cursor_ms: 12_000,
            ..LinkState::default()
        };
        let link = encode(&state).unwrap();
        assert!(link.starts_with("#1z.") && link.len() < 300, "{link}");
        assert_eq!(decode(&format!("https://example.org/x/{link}")), Ok(state));
    }

    #[test]
    fn the_alphabet_is_the_published_one() {
        for (bytes, text) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(to_base64url(bytes.as_bytes()), text);
            assert_eq!(from_base64url(text), Some(bytes.as_bytes().to_vec()));
        }
        assert_eq!(to_base64url(&[0xfb, 0xff]), "-_8");
        assert_eq!(from_base64url("a+b"), None);
    }

    #[test]
    fn a_damaged_or_newer_link_says_so() {
        for (link, why) in [
            ("#3z.AAAA", "this link has format `3z`"),
            ("#1z.!!", "not base64url"),
            ("#1z.AAAA", "damaged"),
        ] {
            let error = decode(link).unwrap_err();
            assert!(error.contains(why), "{link}: {error}");
        }
    }
}
