/**
 * lower() and upper() of a database with C.UTF-8 character classes: one character to one character, by Unicode's simple
 * case mappings, without JavaScript's special cases (final sigma, ß to SS, dotted i).
 */

/** Where Unicode's full mapping, which JavaScript has, gives several characters but a simple mapping exists. */
const LOWER_EXCEPTIONS: Readonly<Record<string, string>> = {İ: 'i'};
const UPPER_EXCEPTIONS: Readonly<Record<string, string>> = {ß: 'ẞ'};

/** Letters whose case pairs are newer than the reference's tables, or no letters to it: they stay as they are. */
const UNCHANGED: readonly (readonly [number, number])[] = [
    [0x19b, 0x19b],
    [0x264, 0x264],
    [0x1c89, 0x1c8a],
    [0x24b6, 0x24e9],
    [0x2c2f, 0x2c2f],
    [0x2c5f, 0x2c5f],
    [0xa7c0, 0xa7c1],
    [0xa7c7, 0xa7f6],
    [0x10570, 0x105bc],
    [0x10d50, 0x10d85],
    [0x16ea0, 0x16ed3],
];
/** Greek letters with iota subscript: their simple upper case is the title case letter, so many places further. */
const GREEK: readonly (readonly [number, number, number])[] = [
    [0x1f80, 0x1f87, 8],
    [0x1f90, 0x1f97, 8],
    [0x1fa0, 0x1fa7, 8],
    [0x1fb3, 0x1fb3, 9],
    [0x1fc3, 0x1fc3, 9],
    [0x1ff3, 0x1ff3, 9],
];

function isUnchanged(character: string): boolean {
    const code = character.codePointAt(0) ?? 0;
    return UNCHANGED.some(([from, to]) => code >= from && code <= to);
}

const ASCII = /^[\0-\x7f]*$/;

export function lowerCase(text: string): string {
    return ASCII.test(text) ? text.toLowerCase() : mapCharacters(text, lowerCharacter);
}

export function upperCase(text: string): string {
    return ASCII.test(text) ? text.toUpperCase() : mapCharacters(text, upperCharacter);
}

function mapCharacters(text: string, map: (character: string) => string): string {
    let result = '';
    for (const character of text) result += map(character);
    return result;
}

export function lowerCharacter(character: string): string {
    if (isUnchanged(character)) return character;
    return LOWER_EXCEPTIONS[character] ?? single(character.toLowerCase(), character);
}

export function upperCharacter(character: string): string {
    if (isUnchanged(character)) return character;
    const code = character.codePointAt(0) ?? 0;
    for (const [from, to, offset] of GREEK) if (code >= from && code <= to) return String.fromCodePoint(code + offset);
    return UPPER_EXCEPTIONS[character] ?? single(character.toUpperCase(), character);
}

function single(mapped: string, otherwise: string): string {
    const [first, ...others] = mapped;
    return first !== undefined && others.length === 0 ? first : otherwise;
}
