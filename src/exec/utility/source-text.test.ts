/** Cutting the query out of PREPARE, DECLARE, EXPLAIN and COPY. */
import {describe, expect, it} from 'vitest';
import {textAfterExplain, textAfterLastWord, textAfterWord, textInParentheses} from './source-text.ts';

describe('source text', () => {
    it('finds the statement that is explained, behind options in every spelling', () => {
        for (const start of [
            'EXPLAIN ',
            'explain analyze verbose ',
            'EXPLAIN (ANALYZE, FORMAT json) ',
            '/* ( */ explain -- x\n',
        ]) {
            const {text, offset} = textAfterExplain(`${start}SELECT (1)`);
            expect({text, offset}).toEqual({text: 'SELECT (1)', offset: start.length});
        }
        expect(textAfterExplain('EXPLAIN (SELECT 1)').text).toBe('(SELECT 1)');
        expect(textAfterExplain('EXPLAIN ((SELECT 1))').text).toBe('((SELECT 1))');
    });

    it('skips words within parentheses, strings and names', () => {
        expect(textAfterWord('PREPARE "as" (int) AS SELECT 1 AS a', 'as').text).toBe('SELECT 1 AS a');
        expect(textAfterWord('DECLARE c CURSOR FOR SELECT 1 FOR UPDATE', 'for').text).toBe('SELECT 1 FOR UPDATE');
        expect(
            textAfterLastWord("COPY t FROM STDIN (null 'where') WHERE a > (SELECT 1 WHERE true)", 'where').text,
        ).toBe('a > (SELECT 1 WHERE true)');
        expect(textInParentheses("EXECUTE p(1, ')', (2))").text).toBe("1, ')', (2)");
        expect(textInParentheses('COPY (SELECT (1) ) TO STDOUT').text).toBe('SELECT (1)');
    });
});
