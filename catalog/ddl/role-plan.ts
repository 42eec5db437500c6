/**
 * Passwords in CREATE | ALTER ROLE: each clear text is replaced by its verifier before the statement goes anywhere.
 *
 * What must stay true: the returned text and the edited text hold no clear password. MD5 verifiers are refused, since
 * nobody could log in with one.
 */
import {PgError} from '../errors.ts';
import {quoteLiteral} from '../quoting.ts';
import type {ScramVerifier} from '../roles.ts';
import {type AstFields, nodesOf, numberOf, textOf, valueText} from './ast.ts';
import type {StatementText} from './statement-text.ts';

/** Edits `text` for the twin and returns the text for the log. */
export function planRole(text: StatementText, stmt: AstFields, scramVerifier: ScramVerifier): string {
    for (const {fields: option} of nodesOf(stmt, 'options')) {
        if (textOf(option, 'defname') === 'isreplication') {
            throw new PgError('0A000', 'REPLICATION is not supported');
        }
        if (textOf(option, 'defname') !== 'password' || option['arg'] === undefined) continue;
        const password = valueText(option['arg']) ?? '';
        if (/^md5[0-9a-f]{32}$/u.test(password)) {
            throw new PgError('0A000', 'an MD5 password is not supported', {hint: 'Give the password itself.'});
        }
        // An empty password never works (PostgreSQL turns it into none as well).
        const replacement = password === '' ? 'NULL' : quoteLiteral(scramVerifier(password)).trim();
        let index = text.tokenAt(numberOf(option, 'location'));
        while (text.tokenText(index) !== 'password') index++;
        text.blankTokens(index + 1, lastTokenOfString(text, index + 1), replacement);
    }
    return text.edited();
}

/** A string constant may go on in the next line: 'abc'\n'def'. */
function lastTokenOfString(text: StatementText, first: number): number {
    let last = first;
    while (text.tokens[last + 1]?.text.startsWith("'") === true) last++;
    return last;
}
