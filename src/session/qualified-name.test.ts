import {describe, expect, test} from 'vitest';
import {parseQualifiedName, parseSearchPath} from './qualified-name.ts';

describe('a qualified name', () => {
    test.each([
        ['s', ['s']],
        ['Public.MySeq', ['public', 'myseq']],
        ['"My".seq', ['My', 'seq']],
        [' a . "b c" ', ['a', 'b c']],
        ['"a""b"', ['a"b']],
        ['my-seq', ['my-seq']],
        ['ÉTÉ', ['ÉtÉ']],
        ['x'.repeat(70), ['x'.repeat(63)]],
        ['é'.repeat(40), ['é'.repeat(31)]],
    ])('%s is %j', (text, parts) => {
        expect(parseQualifiedName(text)).toEqual(parts);
    });

    test.each(['', ' ', '.', 'a.', '.a', 'a b', '"a', 'a..b'])('%j is none', (text) => {
        expect(() => parseQualifiedName(text)).toThrow(expect.objectContaining({code: '42602'}));
    });
});

describe('a search path', () => {
    test('names the schemas in order, the user in the place of $user', () => {
        expect(parseSearchPath('"$user", Public,"My ""own"""', 'ada')).toEqual(['ada', 'public', 'My "own"']);
    });

    test('may be empty', () => {
        expect(parseSearchPath('', 'ada')).toEqual([]);
        expect(parseSearchPath('""', 'ada')).toEqual(['']);
    });

    test('that is no list of names is refused', () => {
        expect(() => parseSearchPath('a,,b', 'ada')).toThrow(expect.objectContaining({code: '22023'}));
        expect(() => parseSearchPath('a b', 'ada')).toThrow(expect.objectContaining({code: '22023'}));
    });
});
