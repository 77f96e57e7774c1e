//! A lesson's texts, as elements. Nothing of a file is taken for HTML.

use crate::figures::lesson::{Block, Piece, Style};
use leptos::prelude::*;

/// Paragraphs and lists.
pub(super) fn blocks(blocks: Vec<Block>) -> AnyView {
    let one = |block: Block| {
        let pieces = block.pieces.into_iter().map(piece).collect_view();
        if block.item {
            view! { <p class="item">{pieces}</p> }.into_any()
        } else {
            view! { <p>{pieces}</p> }.into_any()
        }
    };
    blocks.into_iter().map(one).collect_view().into_any()
}

fn piece(piece: Piece) -> AnyView {
    let Piece { text, style, value } = piece;
    match style {
        Style::Strong => view! { <b>{text}</b> }.into_any(),
        Style::Emphasis => view! { <em>{text}</em> }.into_any(),
        Style::Code => view! { <code>{text}</code> }.into_any(),
        Style::Plain if value => view! { <span class="v">{text}</span> }.into_any(),
        Style::Plain => text.into_any(),
        Style::Subject => view! { <span class="s">{text}</span> }.into_any(),
        Style::Answer => view! { <span class="a">{text}</span> }.into_any(),
        Style::New => view! { <span class="n">{text}</span> }.into_any(),
    }
}
