//! What the browser gives: clock, randomness, storage, time zone, clipboard. Each may be missing or switched off, and
//! then the page goes on without.

use crate::moment::Moment;
use js_sys::{Date, Intl, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{HtmlElement, Storage};

/// Now, by this machine's clock.
pub fn now() -> Moment {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds since 1970 fit 53 bits"
    )]
    Moment(Date::now() as i64)
}

/// Random bytes from the browser's generator; zeros when there is none.
fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if let Some(crypto) = web_sys::window().and_then(|w| w.crypto().ok()) {
        let _ = crypto.get_random_values_with_u8_array(&mut bytes);
    }
    bytes
}

/// A random number, to spread retries.
pub fn random() -> u32 {
    u32::from_le_bytes(random_bytes())
}

/// A new key for one intent: 128 random bits. `crypto.randomUUID` would do, but exists on secure origins only; without
/// any generator the clock still keeps two intents apart.
pub fn new_idempotency_key() -> String {
    let random = u128::from_le_bytes(random_bytes());
    format!("dashboard-{:x}-{random:032x}", now().0)
}

fn session() -> Option<Storage> {
    web_sys::window()?.session_storage().ok().flatten()
}

/// Reads a text that lives as long as the tab.
pub fn remembered(name: &str) -> Option<String> {
    session()?.get_item(name).ok().flatten()
}

/// Keeps a text as long as the tab lives; `None` forgets it.
pub fn remember(name: &str, value: Option<&str>) {
    if let Some(storage) = session() {
        let _ = match value {
            Some(value) => storage.set_item(name, value),
            None => storage.remove_item(name),
        };
    }
}

const THEME: &str = "vaultstream.theme";

/// The chosen theme: `light`, `dark`, or `None` for the system's.
pub fn theme() -> Option<String> {
    web_sys::window()?
        .local_storage()
        .ok()??
        .get_item(THEME)
        .ok()
        .flatten()
}

/// Chooses a theme for this page and the next visits.
pub fn set_theme(theme: Option<&str>) {
    let Some(window) = web_sys::window() else { return };
    if let Ok(Some(storage)) = window.local_storage() {
        let _ = match theme {
            Some(theme) => storage.set_item(THEME, theme),
            None => storage.remove_item(THEME),
        };
    }
    if let Some(root) = window.document().and_then(|d| d.document_element()) {
        let _ = match theme {
            Some(theme) => root.set_attribute("data-theme", theme),
            None => root.remove_attribute("data-theme"),
        };
    }
}

/// Whether the browser believes that there is a network.
pub fn has_network() -> bool {
    web_sys::window().is_none_or(|w| w.navigator().on_line())
}

/// Whether the page is scrolled away from its top.
pub fn is_scrolled() -> bool {
    web_sys::window()
        .and_then(|w| w.scroll_y().ok())
        .is_some_and(|y| y > 160.0)
}

/// Goes to the top of the page.
pub fn scroll_to_top() {
    if let Some(window) = web_sys::window() {
        window.scroll_to_with_x_and_y(0.0, 0.0);
    }
}

/// Puts a text on the clipboard; whether that worked.
pub async fn copy(text: &str) -> bool {
    let Some(window) = web_sys::window() else {
        return false;
    };
    let clipboard = window.navigator().clipboard();
    if JsValue::from(&clipboard).is_undefined() {
        return false;
    }
    JsFuture::from(clipboard.write_text(text)).await.is_ok()
}

/// Moves the keyboard's place to an element by its id.
pub fn focus(id: &str) {
    use wasm_bindgen::JsCast;
    let element = web_sys::window()
        .and_then(|w| w.document())
        .and_then(|d| d.get_element_by_id(id));
    if let Some(element) = element.and_then(|e| e.dyn_into::<HtmlElement>().ok()) {
        let _ = element.focus();
    }
}

/// The build this page was made by, from the page itself.
pub fn build() -> Option<String> {
    let document = web_sys::window()?.document()?;
    document
        .query_selector("meta[name=vaultstream-build]")
        .ok()??
        .get_attribute("content")
}

/// The zone that times are shown in.
pub fn zone() -> String {
    let format = Intl::DateTimeFormat::new(&js_sys::Array::new(), &js_sys::Object::new());
    let zone = Reflect::get(&format.resolved_options(), &"timeZone".into());
    zone.ok()
        .and_then(|z| z.as_string())
        .unwrap_or_else(|| "UTC".into())
}

fn in_words(moment: Moment, fields: &[(&str, &str)]) -> String {
    let options = js_sys::Object::new();
    for (name, value) in fields {
        let _ = Reflect::set(&options, &(*name).into(), &(*value).into());
    }
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit 53 bits")]
    let date = Date::new(&JsValue::from_f64(moment.0 as f64));
    let text = date.to_locale_string("en-GB", &options);
    String::from(text)
}

/// A moment as a short text in the zone of the page: `21 Nov, 10:05:03`.
pub fn short_time(moment: Moment) -> String {
    in_words(
        moment,
        &[
            ("day", "numeric"),
            ("month", "short"),
            ("hour", "2-digit"),
            ("minute", "2-digit"),
            ("second", "2-digit"),
            ("hourCycle", "h23"),
        ],
    )
}

/// A moment as ISO 8601 in UTC, for hovering and machines.
pub fn iso(moment: Moment) -> String {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit 53 bits")]
    let date = Date::new(&JsValue::from_f64(moment.0 as f64));
    String::from(date.to_iso_string())
}

/// The moment a text names; without a zone it is in the zone of the page.
pub fn moment_of(text: &str) -> Option<Moment> {
    let ms = Date::new(&text.into()).get_time();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds since 1970 fit 53 bits"
    )]
    (!ms.is_nan()).then_some(Moment(ms as i64))
}

/// A JSON text with its structure shown; the text itself when it is none.
pub fn pretty(json: &str) -> String {
    let shown = js_sys::JSON::parse(json).and_then(|value| {
        js_sys::JSON::stringify_with_replacer_and_space(&value, &JsValue::NULL, &JsValue::from_f64(2.0))
    });
    shown.map_or_else(|_| json.to_owned(), String::from)
}
