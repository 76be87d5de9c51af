//! Who carries shipments, and where one can look where they are.

use super::{Carrier, TrackingNumber};

/// Carriers by name, with the page that shows a shipment, but for its number.
const CARRIERS: [(&str, &str); 4] = [
    ("DHL", "https://www.dhl.de/de/privatkunden/pakete-empfangen/verfolgen.html?piececode="),
    ("DPD", "https://tracking.dpd.de/status/de_DE/parcel/"),
    ("UPS", "https://www.ups.com/track?tracknum="),
    ("Hermes", "https://www.myhermes.de/empfangen/sendungsverfolgung/sendungsinformation#"),
];

/// The carrier as it writes its own name, if it is one that has links; else as it was given.
pub fn canonical_carrier(given: Carrier) -> Carrier {
    let known = CARRIERS.iter().find(|(name, _)| name.eq_ignore_ascii_case(given.as_str()));
    known.and_then(|(name, _)| Carrier::parse(name).ok()).unwrap_or(given)
}

/// Where a shipment can be followed.
pub fn tracking_url(carrier: &str, tracking_number: &str) -> Option<String> {
    let (_, page) = CARRIERS.iter().find(|(name, _)| *name == carrier)?;
    let number = TrackingNumber::parse(tracking_number).ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encoded = number.as_str().bytes().map(|byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    Some(format!("{page}{}", encoded.collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_carrier_has_links_and_any_other_keeps_its_name() {
        let carrier = |name| canonical_carrier(Carrier::parse(name).unwrap());
        assert_eq!(carrier("dhl").as_str(), "DHL");
        assert_eq!(carrier("hermes").as_str(), "Hermes");
        assert_eq!(carrier("Bicycle").as_str(), "Bicycle");
        assert_eq!(tracking_url("UPS", "1Z 9/?").unwrap(), "https://www.ups.com/track?tracknum=1Z%209%2F%3F");
        assert_eq!(tracking_url("Bicycle", "1"), None);
    }
}
