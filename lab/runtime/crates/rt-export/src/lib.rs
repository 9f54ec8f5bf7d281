//! The `#[export]` attribute: one source, two symbol prefixes.
//!
//! The language was renamed once, and with it the prefix of every runtime
//! symbol (`snow_` before, `mesh_` since). The sources are shared by the crates
//! `mesh_rt` and `snow_rt`; this attribute gives a function its public name
//! from the name of the crate being compiled, so that symbol tables, DWARF and
//! backtraces all agree on it.

use proc_macro::{Ident, TokenStream, TokenTree};

/// Turns `fn string_new(..)` into
/// `#[no_mangle] pub extern "C" fn <prefix>string_new(..)`.
///
/// The item must start with `fn` or `unsafe fn`; the attribute adds visibility
/// and ABI. The prefix is what stands before the `_` of the crate's name.
#[proc_macro_attribute]
pub fn export(_args: TokenStream, item: TokenStream) -> TokenStream {
    let prefix = symbol_prefix();
    let mut named = false;
    let mut body = TokenStream::new();
    let mut after_fn = false;
    for token in item {
        let token = match token {
            TokenTree::Ident(name) if after_fn && !named => {
                named = true;
                TokenTree::Ident(Ident::new(&format!("{prefix}{name}"), name.span()))
            }
            TokenTree::Ident(ref word) if !named && word.to_string() == "fn" => {
                after_fn = true;
                body.extend("extern \"C\"".parse::<TokenStream>());
                token
            }
            other => other,
        };
        body.extend([token]);
    }
    assert!(named, "#[export] goes on a function");
    // Doc comments arrive as attributes in front of the item, so the
    // visibility cannot simply be put first.
    let (attributes, signature) = split_attributes(body);
    let mut out: TokenStream = "#[unsafe(no_mangle)]".parse().expect("attribute");
    out.extend(attributes);
    out.extend("pub".parse::<TokenStream>());
    out.extend(signature);
    out
}

fn symbol_prefix() -> String {
    let name = std::env::var("CARGO_CRATE_NAME").unwrap_or_default();
    let language = name.split('_').next().unwrap_or_default();
    format!("{language}_")
}

/// Splits leading `#[..]` groups from the rest of an item.
fn split_attributes(item: TokenStream) -> (TokenStream, TokenStream) {
    let tokens: Vec<TokenTree> = item.into_iter().collect();
    let mut at = 0;
    while matches!(&tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == '#') {
        at += 2;
    }
    let rest = tokens[at..].iter().cloned().collect();
    (tokens[..at].iter().cloned().collect(), rest)
}
