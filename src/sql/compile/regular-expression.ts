/**
 * `~` and `!~` for the constant patterns that mean the same in PostgreSQL's and JavaScript's regular expressions: plain
 * ASCII letters, digits, blanks and a few signs, `.`, anchors at the ends, groups, alternatives, and * + ? after them.
 *
 * What must stay true: any pattern with more in it (classes, brackets, escapes of letters, counts) is `Unsupported`.
 * Only whether there is a match matters, so greed and the choice among matches do not.
 */
import type {Expr} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import {compileNode} from './compile-expression.ts';
import type {CompileScope, Evaluate} from './scope.ts';

const ATOM = String.raw`(?:[A-Za-z0-9 _@,:;=/#%&'"<>!~-]|\.|\\[.*+?()\[\]{}|^$\\/-])`;
const BRANCH = `(?:${ATOM}[*+?]?)+`;
const GROUP = String.raw`(?:\(${BRANCH}(?:\|${BRANCH})*\)[*+?]?)`;
const SAFE = new RegExp(String.raw`^\^?(?:${GROUP}|${ATOM}[*+?]?)+\$?$`);
/** Longer patterns are left to PostgreSQL: nothing here bounds the work of backtracking but their size. */
const PATTERN_LENGTH_MAX = 100;
/** Nested repetition could take exponential time in JavaScript. */
const NESTED_REPEAT = /\)[*+]/;

export function compileRegularExpression(negated: boolean, left: Expr, right: Expr, scope: CompileScope): Evaluate {
    if (right.kind !== 'const' || typeof right.value !== 'string')
        throw new Unsupported('pattern that is not constant');
    const pattern = right.value;
    if (pattern.length > PATTERN_LENGTH_MAX || !SAFE.test(pattern) || NESTED_REPEAT.test(pattern)) {
        throw new Unsupported('regular expression');
    }
    const expression = new RegExp(pattern.replaceAll('/', String.raw`\/`), 's');
    const text = compileNode(left, scope);
    return (frame) => {
        const value = text(frame);
        return value === null ? null : expression.test(value as string) !== negated;
    };
}
