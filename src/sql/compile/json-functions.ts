/**
 * Operators and functions on json and jsonb that read a value: ->, ->>, #>, #>>, @>, ?, and the simple inspectors.
 *
 * What must stay true: a jsonb result is canonical text; a json result would have to keep the source's own spacing, so
 * of json only what gives text or a number of things is here.
 */
import {PgError} from '../../../catalog/errors.ts';
import type {PgArray} from '../../../catalog/types/datum.ts';
import {printJsonb} from '../../../catalog/types/jsonb.ts';
import type {JsonNode} from '../../../catalog/types/json-reader.ts';
import {readJson} from '../../../catalog/types/json-reader.ts';
import {equalNumerics} from './numeric-equality.ts';
import {define, infix} from './registry.ts';

function field(node: JsonNode, key: string): JsonNode | undefined {
    if (node.kind !== 'object') return undefined;
    return node.entries.find((entry) => entry.key === key)?.value;
}

function element(node: JsonNode, index: number): JsonNode | undefined {
    return node.kind === 'array' ? node.items.at(index) : undefined;
}

function asJsonb(node: JsonNode | undefined): string | null {
    return node === undefined ? null : printJsonb(node);
}

/** As ->> gives it: strings without quotes, null as NULL. */
function asText(node: JsonNode | undefined): string | null {
    if (node === undefined || node.kind === 'null') return null;
    return node.kind === 'string' ? node.value : printJsonb(node);
}

infix<string, string>('->', 'jsonb', 'text', (json, key) => asJsonb(field(readJson(json), key)));
infix<string, number>('->', 'jsonb', 'int4', (json, index) => asJsonb(element(readJson(json), index)));
infix<string, string>('->>', 'jsonb', 'text', (json, key) => asText(field(readJson(json), key)));
infix<string, number>('->>', 'jsonb', 'int4', (json, index) => asText(element(readJson(json), index)));
infix<string, PgArray>('#>', 'jsonb', '_text', (json, path) => asJsonb(walkPath(readJson(json), path)));
infix<string, PgArray>('#>>', 'jsonb', '_text', (json, path) => asText(walkPath(readJson(json), path)));

function walkPath(root: JsonNode, path: PgArray): JsonNode | undefined {
    let node: JsonNode | undefined = root;
    for (const step of path.elements) {
        if (node === undefined || typeof step !== 'string') return undefined;
        if (node.kind === 'array') {
            // strtoint: optional blanks and sign, then digits to the end.
            if (!/^\s*[+-]?\d+$/.test(step)) return undefined;
            const index = Number(step);
            if (index > 2_147_483_647 || index < -2_147_483_648) return undefined;
            node = element(node, index);
        } else {
            node = field(node, step);
        }
    }
    return node;
}

function hasKey(node: JsonNode, key: string): boolean {
    if (node.kind === 'object') return node.entries.some((entry) => entry.key === key);
    if (node.kind === 'array') return node.items.some((item) => item.kind === 'string' && item.value === key);
    return node.kind === 'string' && node.value === key;
}

function textElements(array: PgArray): string[] {
    return array.elements.filter((item): item is string => typeof item === 'string');
}

infix<string, string>('?', 'jsonb', 'text', (json, key) => hasKey(readJson(json), key));
infix<string, PgArray>('?|', 'jsonb', '_text', (json, keys) => {
    const node = readJson(json);
    return textElements(keys).some((key) => hasKey(node, key));
});
infix<string, PgArray>('?&', 'jsonb', '_text', (json, keys) => {
    const node = readJson(json);
    return textElements(keys).every((key) => hasKey(node, key));
});
infix<string, string>('@>', 'jsonb', 'jsonb', (whole, part) => contains(readJson(whole), readJson(part), true));
infix<string, string>('<@', 'jsonb', 'jsonb', (part, whole) => contains(readJson(whole), readJson(part), true));

/** JsonbDeepContains: an array may contain a bare scalar, at the top only. */
function contains(whole: JsonNode, part: JsonNode, isTop: boolean): boolean {
    if (part.kind === 'object') {
        return (
            whole.kind === 'object' &&
            part.entries.every(({key, value}) => {
                const own = field(whole, key);
                return own !== undefined && contains(own, value, false);
            })
        );
    }
    if (part.kind === 'array') {
        if (whole.kind !== 'array') return false;
        return part.items.every((item) => whole.items.some((own) => contains(own, item, false)));
    }
    if (isTop && whole.kind === 'array') return whole.items.some((own) => sameScalar(own, part));
    return sameScalar(whole, part);
}

function sameScalar(a: JsonNode, b: JsonNode): boolean {
    if (a.kind === 'null' || b.kind === 'null') return a.kind === b.kind;
    if (a.kind === 'string' && b.kind === 'string') return a.value === b.value;
    if (a.kind === 'boolean' && b.kind === 'boolean') return a.value === b.value;
    return a.kind === 'number' && b.kind === 'number' && equalNumerics(a.value, b.value);
}

for (const type of ['json', 'jsonb'] as const) {
    define<[string]>(`${type}_typeof`, [type], (json) => {
        const node = readJson(json);
        return node.kind;
    });
    define<[string]>(`${type}_array_length`, [type], (json) => {
        const node = readJson(json);
        if (node.kind === 'array') return node.items.length;
        const what = node.kind === 'object' ? 'a non-array' : 'a scalar';
        throw new PgError('22023', `cannot get array length of ${what}`);
    });
}
