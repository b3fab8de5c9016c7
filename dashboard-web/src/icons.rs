//! Icons: drawn inline, 16 pixels, in the colour of their text. They never stand without words or an accessible name.

use leptos::prelude::*;

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// A vault's door.
    Vault,
    /// A house.
    Home,
    /// Two arrows.
    Transfers,
    /// A magnifying glass.
    Search,
    /// Two sheets.
    Copy,
    /// A tick.
    Done,
    /// A filled disc with a tick.
    Good,
    /// A clock.
    Wait,
    /// An arrow in a circle.
    Move,
    /// A cross in a circle.
    Bad,
    /// An empty circle.
    Ahead,
    /// Three lines.
    Menu,
    /// A cross.
    Close,
    /// Half a disc.
    Theme,
    /// A question mark.
    Help,
    /// A door with an arrow.
    Leave,
}

const fn path(icon: Icon) -> &'static str {
    match icon {
        Icon::Vault => {
            "M2.5 2.5h11v10h-11zM5 12.5v1.5M11 12.5v1.5M8 5.2a2.3 2.3 0 1 0 0 4.6a2.3 2.3 0 1 0 0-4.6M8 3.8v1.4M8 9.8v1.4"
        }
        Icon::Home => "M2 7.5 8 2.5l6 5M3.5 6.5v7h9v-7M6.5 13.5v-4h3v4",
        Icon::Transfers => "M2 5.5h11M10 2.5l3 3-3 3M14 10.5H3M6 7.5l-3 3 3 3",
        Icon::Search => "M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9M10.3 10.3 14 14",
        Icon::Copy => "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
        Icon::Done => "M3 8.5 6.5 12 13 4.5",
        Icon::Good => "M8 1.8a6.2 6.2 0 1 0 0 12.4a6.2 6.2 0 1 0 0-12.4M5 8.3l2.1 2.1L11 6",
        Icon::Wait => "M8 1.8a6.2 6.2 0 1 0 0 12.4a6.2 6.2 0 1 0 0-12.4M8 4.5V8l2.5 1.5",
        Icon::Move => "M8 1.8a6.2 6.2 0 1 0 0 12.4a6.2 6.2 0 1 0 0-12.4M4.8 8h6M8.5 5.5 11 8l-2.5 2.5",
        Icon::Bad => "M8 1.8a6.2 6.2 0 1 0 0 12.4a6.2 6.2 0 1 0 0-12.4M5.7 5.7l4.6 4.6M10.3 5.7l-4.6 4.6",
        Icon::Ahead => "M8 4a4 4 0 1 0 0 8a4 4 0 1 0 0-8",
        Icon::Menu => "M2 4h12M2 8h12M2 12h12",
        Icon::Close => "M4 4l8 8M12 4l-8 8",
        Icon::Theme => "M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12M8 2v12M8 5h3.8M8 8h6M8 11h3.8",
        Icon::Help => {
            "M8 1.8a6.2 6.2 0 1 0 0 12.4a6.2 6.2 0 1 0 0-12.4M6.2 6.2a1.9 1.9 0 1 1 2.6 1.8c-.6.3-.8.6-.8 1.2M8 11.2v.3"
        }
        Icon::Leave => "M9.5 2.5h-7v11h7M6.5 8h7.5M11.5 5.5 14 8l-2.5 2.5",
    }
}

/// Draws an icon; hidden from those who listen, because words stand beside it.
pub fn icon(icon: Icon) -> AnyView {
    view! {
        <svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5"
            stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">
            <path d=path(icon)/>
        </svg>
    }
    .into_any()
}
