//! Content negotiation: which of the media types of a route its client prefers (RFC 9110, section 12.5.1).

use std::cmp::Reverse;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// The media ranges of `Accept`, in their order. Without a range, any media type is accepted.
#[derive(Clone, Debug)]
pub struct Accept(Vec<MediaRange>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct MediaRange {
    /// In lower case: `text/csv`, `text/*`, `*/*`.
    name: String,
    /// In thousandths; 0 refuses the range.
    weight: u16,
}

impl Accept {
    /// Malformed ranges are ignored.
    pub fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        Self(values.flat_map(|value| value.split(',')).filter_map(MediaRange::parse).collect())
    }

    /// The place in `offered` of the media type that the client prefers; `None` if it accepts none of them.
    ///
    /// Of several with the same weight, the client's most specific range counts first, then its order, then the order of
    /// `offered`.
    pub fn choose(&self, offered: &[&str]) -> Option<usize> {
        if self.0.is_empty() {
            return (!offered.is_empty()).then_some(0);
        }
        let accepted = offered.iter().enumerate().filter_map(|(place, media_type)| {
            let (specificity, range_place, weight) = self.range_of(media_type)?;
            (weight > 0).then_some((place, (Reverse(weight), Reverse(specificity), range_place)))
        });
        accepted.min_by_key(|(place, rank)| (*rank, *place)).map(|(place, _)| place)
    }

    /// The most specific range that has the media type: how specific it is, its place, and its weight.
    fn range_of(&self, media_type: &str) -> Option<(u8, usize, u16)> {
        let ranges = self.0.iter().enumerate().filter_map(|(place, range)| {
            let specificity = range.specificity(media_type)?;
            Some((specificity, place, range.weight))
        });
        ranges.max_by_key(|(specificity, place, _)| (*specificity, Reverse(*place)))
    }
}

impl MediaRange {
    fn parse(range: &str) -> Option<Self> {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next()?.to_ascii_lowercase();
        let (kind, subtype) = name.split_once('/')?;
        if kind.is_empty() || subtype.is_empty() {
            return None;
        }
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let weight = weight.map_or(Some(1.0), |weight| weight.parse::<f32>().ok())?;
        if !(0.0..=1.0).contains(&weight) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 1000")]
        let weight = (weight * 1_000.0).round() as u16;
        Some(Self { name, weight })
    }

    /// How specific the range is, if it has the media type.
    fn specificity(&self, media_type: &str) -> Option<u8> {
        match self.name.as_str() {
            "*/*" => Some(0),
            name if name == media_type => Some(2),
            name => {
                let kind = name.strip_suffix('*')?;
                (kind.len() > 1 && kind.ends_with('/') && media_type.starts_with(kind)).then_some(1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const OFFERED: [&str; 3] = ["application/json", "application/x-ndjson", "text/csv"];

    fn chosen(accept: &str) -> Option<&'static str> {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(accept).unwrap())]);
        Accept::of(&headers).choose(&OFFERED).map(|place| OFFERED[place])
    }

    #[test]
    fn the_media_type_is_the_one_that_the_client_prefers() {
        assert_eq!(Accept::of(&HeaderMap::new()).choose(&OFFERED), Some(0));
        for accept in [
            "*/*",
            "",
            "application/json",
            "application/*",
            "text/html, */*;q=0.8",
            "application/json, application/x-ndjson, text/csv",
            "application/x-ndjson;q=0.5, application/json;q=0.9",
            "application/x-ndjson;q=0, */*",
            "application/x-ndjson;q=high",
            "text/csv;q=0.4, */*;q=0.5",
            "text/csv;q=0, text/*;q=0.9, */*;q=0.1",
        ] {
            assert_eq!(chosen(accept), Some(OFFERED[0]), "{accept}");
        }
        for accept in ["application/x-ndjson", "Application/X-NDJSON; charset=utf-8", "*/*;q=0.1, application/x-ndjson"]
        {
            assert_eq!(chosen(accept), Some(OFFERED[1]), "{accept}");
        }
        for accept in [
            "text/csv",
            "text/csv, application/json",
            "Text/CSV; header=present; q=0.7, application/json;q=0.6",
            "text/*",
            "text/csv, */*",
            "*/*;q=0.5, text/csv;q=0.6",
        ] {
            assert_eq!(chosen(accept), Some(OFFERED[2]), "{accept}");
        }
    }

    #[test]
    fn a_client_may_accept_nothing_that_is_offered() {
        for accept in ["text/html", "image/*", "text/csv;q=0", "application/xml, text/plain;q=0.5", "*/*;q=0"] {
            assert_eq!(chosen(accept), None, "{accept}");
        }
    }
}
