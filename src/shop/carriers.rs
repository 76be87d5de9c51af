//! Carriers of shipments and their tracking links.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::order::{Carrier, TrackingNumber};

/// Known carriers with the URL of their tracking page, up to the tracking number.
const CARRIERS: [(&str, &str); 4] = [
    ("DHL", "https://www.dhl.de/de/privatkunden/pakete-empfangen/verfolgen.html?piececode="),
    ("DPD", "https://tracking.dpd.de/status/de_DE/parcel/"),
    ("UPS", "https://www.ups.com/track?tracknum="),
    ("Hermes", "https://www.myhermes.de/empfangen/sendungsverfolgung/sendungsinformation#"),
];

/// Everything but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Spells a known carrier as the carrier does; keeps any other name.
pub fn canonical_carrier(given: Carrier) -> Carrier {
    let known = CARRIERS.iter().find(|(name, _)| name.eq_ignore_ascii_case(given.as_str()));
    known.and_then(|(name, _)| Carrier::parse(name).ok()).unwrap_or(given)
}

/// URL of the tracking page; `None` for an unknown carrier.
pub fn tracking_url(carrier: &str, tracking_number: &str) -> Option<String> {
    let (_, page) = CARRIERS.iter().find(|(name, _)| *name == carrier)?;
    let number = TrackingNumber::parse(tracking_number).ok()?;
    Some(format!("{page}{}", utf8_percent_encode(number.as_str(), ENCODED)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_carrier_has_tracking_links_and_any_other_keeps_its_name() {
        let carrier = |name| canonical_carrier(Carrier::parse(name).unwrap());
        assert_eq!(carrier("dhl").as_str(), "DHL");
        assert_eq!(carrier("hermes").as_str(), "Hermes");
        assert_eq!(carrier("Bicycle").as_str(), "Bicycle");
        assert_eq!(tracking_url("UPS", "1Z 9/?").unwrap(), "https://www.ups.com/track?tracknum=1Z%209%2F%3F");
        assert_eq!(tracking_url("Bicycle", "1"), None);
    }
}
