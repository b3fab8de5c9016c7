//! Holds every pair of colours that text or marks are drawn in to its contrast (WCAG 2.2, 1.4.3 and 1.4.11), in both
//! themes, read from the style sheet itself.

#![expect(
    clippy::float_arithmetic,
    reason = "the formula of relative luminance is one of floats"
)]

use std::collections::BTreeMap;

const TOKENS: &str = include_str!("../tokens.css");

type Rgb = [f64; 3];

fn channel(hex: &str) -> f64 {
    let value = f64::from(u8::from_str_radix(hex, 16).expect("two hexadecimal digits")) / 255.0;
    if value <= 0.04045 {
        value / 12.92
    } else {
        ((value + 0.055) / 1.055).powf(2.4)
    }
}

fn colour(text: &str) -> Rgb {
    let hex = text.trim().trim_start_matches('#');
    assert!(hex.len() >= 6, "{text} is written out");
    [channel(&hex[0..2]), channel(&hex[2..4]), channel(&hex[4..6])]
}

fn luminance([r, g, b]: Rgb) -> f64 {
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn contrast(a: Rgb, b: Rgb) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Every colour of the sheet: its name, light and dark.
fn tokens() -> BTreeMap<&'static str, [Rgb; 2]> {
    let lines = TOKENS.lines().filter_map(|line| line.trim().strip_prefix("--"));
    lines
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            let pair = value.trim().strip_prefix("light-dark(")?.split(')').next()?;
            let (light, dark) = pair.split_once(',')?;
            Some((name, [colour(light), colour(dark)]))
        })
        .collect()
}

fn check(inks: &[&str], grounds: &[&str], least: f64) {
    let tokens = tokens();
    for ink in inks {
        for ground in grounds {
            for (theme, name) in ["light", "dark"].iter().enumerate() {
                let found = contrast(tokens[ink][theme], tokens[ground][theme]);
                assert!(
                    found >= least,
                    "--{ink} on --{ground} is {found:.2} in {name}, needs {least}"
                );
            }
        }
    }
}

#[test]
fn formula_should_know_its_ends() {
    assert!((contrast(colour("#000000"), colour("#ffffff")) - 21.0).abs() < 0.01);
    assert!((contrast(colour("#777777"), colour("#ffffff")) - 4.48).abs() < 0.01);
}

#[test]
fn text_should_be_readable_on_every_ground() {
    let inks = ["ink", "ink-soft", "accent", "wait", "move", "good", "bad"];
    check(&inks, &["ground", "surface", "raised"], 4.5);
    check(&["on-accent"], &["accent"], 4.5);
    check(&["on-sandbox"], &["sandbox"], 4.5);
}

#[test]
fn marks_and_focus_should_be_seen() {
    check(&["line-strong", "focus"], &["ground", "surface"], 3.0);
}

#[test]
fn every_colour_should_have_both_themes() {
    let colours = TOKENS.lines().filter(|line| line.contains('#')).count();
    assert_eq!(colours, tokens().len(), "each colour is given by light-dark()");
}
