//! Rules of the shop's settings.

use super::*;

fn change(search_language: Option<SearchLanguage>, low_stock_threshold: Option<i64>) -> ShopSettingsCommand {
    let low_stock_threshold = low_stock_threshold.map(|units| LowStockThreshold::new(units).unwrap());
    ShopSettingsCommand::Change { search_language, low_stock_threshold }
}

#[test]
fn each_changed_setting_is_an_event_with_the_value_of_before() {
    let mut settings = ShopSettings::default();
    let events = settings.decide(change(Some(SearchLanguage::German), Some(3))).unwrap();
    assert_eq!(
        events,
        [
            ShopSettingsEvent::SearchLanguageChanged {
                language: SearchLanguage::German,
                previous_language: SearchLanguage::English
            },
            ShopSettingsEvent::LowStockThresholdChanged {
                threshold: LowStockThreshold(3),
                previous_threshold: LowStockThreshold(10)
            },
        ]
    );
    events.iter().for_each(|event| settings.evolve(event));
    assert_eq!(settings.search_language, SearchLanguage::German);
    assert_eq!(settings.low_stock_threshold, LowStockThreshold(3));
}

#[test]
fn a_setting_that_stays_the_same_causes_no_event() {
    let settings = ShopSettings::default();
    for command in [change(None, None), change(Some(SearchLanguage::English), Some(10))] {
        assert_eq!(settings.decide(command), Ok(vec![]));
    }
    assert_eq!(settings.decide(change(None, Some(0))).unwrap().len(), 1);
}

#[test]
fn a_threshold_has_bounds() {
    assert_eq!(LowStockThreshold::new(-1), Err(LowStockThresholdError));
    assert_eq!(LowStockThreshold::new(LowStockThreshold::MAX + 1), Err(LowStockThresholdError));
    assert!(LowStockThreshold::new(LowStockThreshold::MAX).is_ok());
}

#[test]
fn the_base_of_images_changes_once() {
    let mut settings = ShopSettings::default();
    let base: MediaBase = "https://cdn.example.com/media".parse().unwrap();
    let change = |base: &Option<MediaBase>| ShopSettingsCommand::ChangeMediaBase { base: base.clone() };
    let (own, cdn) = (None, Some(base));
    assert_eq!(settings.decide(change(&own)).unwrap(), []);
    let changed = ShopSettingsEvent::MediaBaseChanged { base: cdn.clone(), previous_base: None };
    assert_eq!(settings.decide(change(&cdn)).unwrap(), std::slice::from_ref(&changed));
    settings.evolve(&changed);
    assert_eq!(settings.decide(change(&cdn)).unwrap(), []);
    let back = ShopSettingsEvent::MediaBaseChanged { base: None, previous_base: cdn };
    assert_eq!(settings.decide(change(&own)).unwrap(), [back]);
}
