//! A lesson's texts, as elements. Nothing of a file is taken for HTML.

use crate::figures::lesson::{Block, Piece, Style};
use leptos::prelude::*;

/// Paragraphs and lists.
pub(super) fn blocks(blocks: Vec<Block>) -> AnyView {
    let one = |block: Block| {
        let pieces = block.pieces.into_iter().map(piece).collect_view();
        view! { <p class:item=block.item>{pieces}</p> }
    };
    blocks.into_iter().map(one).collect_view().into_any()
}

fn piece(Piece { text, style, value }: Piece) -> impl IntoView {
    let class = match style {
        Style::Strong => "b",
        Style::Emphasis => "e",
        Style::Code => "c",
        Style::Subject => "s",
        Style::Answer => "a",
        Style::New => "n",
        // A number stays on its line; a prompt may break.
        Style::Plain if value && text.chars().count() < 16 => "v",
        Style::Plain if value => "v long",
        Style::Plain => "",
    };
    view! { <span class=class>{text}</span> }
}
