/**
 * lower() and upper() of a database with C.UTF-8 character classes: one character to one character, by Unicode's simple
 * case mappings, without JavaScript's special cases (final sigma, ß to SS, dotted i).
 */

/** Where Unicode's full mapping, which JavaScript has, gives several characters but a simple mapping exists. */
const LOWER_EXCEPTIONS: Readonly<Record<string, string>> = {İ: 'i'};
const UPPER_EXCEPTIONS: Readonly<Record<string, string>> = {ß: 'ẞ'};

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
    return LOWER_EXCEPTIONS[character] ?? single(character.toLowerCase(), character);
}

export function upperCharacter(character: string): string {
    return UPPER_EXCEPTIONS[character] ?? single(character.toUpperCase(), character);
}

function single(mapped: string, otherwise: string): string {
    const [first, ...others] = mapped;
    return first !== undefined && others.length === 0 ? first : otherwise;
}
