/**
 * SASLprep (RFC 4013) as PostgreSQL applies it to passwords: ASCII stays as it is; other text is mapped and normalised
 * by NFKC; and text that SASLprep prohibits is used raw instead of being refused (pg_saslprep and its callers).
 *
 * The tables of RFC 3454 for unassigned code points and bidirectional text are not checked: text that breaks them is
 * normalised here and taken raw by PostgreSQL, which differs only when normalisation would change it.
 */

// RFC 3454, table C.1.2: spaces that become a space.
const OTHER_SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g;
// Table B.1: commonly mapped to nothing.
const MAPPED_TO_NOTHING = /\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/g;
// Tables C.2 to C.9: controls, private use, non-characters, surrogates, and characters unfit for plain text.
const PROHIBITED =
    /[\p{Cc}\p{Co}\p{Cs}\u06dd\u070f\u180e\u200c-\u200f\u2028-\u202e\u2060-\u2063\u206a-\u206f\ufeff\ufff9-\uffff\u{1d173}-\u{1d17a}\u2ff0-\u2ffb\ufdd0-\ufdef\u{e0001}\u{e0020}-\u{e007f}]|\u0340|\u0341/u;
// eslint-disable-next-line no-control-regex -- the whole of ASCII is meant
const ASCII_ONLY = /^[\x00-\x7f]*$/;

export function saslPrep(text: string): string {
    if (ASCII_ONLY.test(text)) {
        return text;
    }
    const prepared = text.replace(OTHER_SPACES, ' ').replace(MAPPED_TO_NOTHING, '').normalize('NFKC');
    return prepared === '' || PROHIBITED.test(prepared) ? text : prepared;
}
