import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {castFunction} from './cast.ts';
import {castContext, catalogCast} from './cast-table.ts';
import type {Oracle} from './oracle.ts';
import {attempt, quote, startOracle, validInputs} from './oracle.ts';
import {BUILTIN_TYPES} from './builtin.ts';
import {TypeRegistry} from './registry.ts';
import {DEFAULT_OUTPUT_SETTINGS} from './settings.ts';
import {INPUTS} from './text-forms.cases.ts';

const registry = new TypeRegistry();
const settings = {...DEFAULT_OUTPUT_SETTINGS, timeZone: 'Europe/Berlin'};
let oracle: Oracle;

beforeAll(async () => {
    oracle = await startOracle();
    await oracle.exec(`set timezone = 'Europe/Berlin'`);
});
afterAll(() => oracle.close());

const SCALARS = BUILTIN_TYPES.filter((type) => type.kind === 'base' && type.name !== 'unknown' && type.name !== 'void');

describe('casts', () => {
    it('exist in exactly the contexts of pg_cast', async () => {
        const oids = SCALARS.map((type) => type.oid).join();
        const rows = await oracle.column(
            `select concat_ws(' ', castsource, casttarget, castcontext) from pg_cast where castsource in (${oids}) and casttarget in (${oids})`,
        );
        const theirs = new Set(rows);
        const ours = new Set<string>();
        for (const from of SCALARS) {
            for (const to of SCALARS) {
                const context = catalogCast(from.oid, to.oid);
                if (context !== undefined) ours.add(`${from.oid} ${to.oid} ${context.charAt(0)}`);
            }
        }
        expect([...ours].sort()).toEqual([...theirs].map(String).sort());
    });

    it('know the identities of pg_type', async () => {
        const rows = await oracle.column(
            `select concat_ws('|', oid, typname, format_type(oid, null), typlen, typcategory, typispreferred, typarray) from pg_type order by oid`,
        );
        const known = new Set(rows);
        for (const type of BUILTIN_TYPES) {
            const preferred = type.preferred ? 't' : 'f';
            expect(known).toContain(
                `${type.oid}|${type.name}|${type.sqlName}|${type.length}|${type.category}|${preferred}|${type.arrayOid}`,
            );
        }
    });

    for (const from of SCALARS.filter((type) => INPUTS[type.name] !== undefined)) {
        it(`from ${from.name} give PostgreSQL's values and errors`, async () => {
            const inputs = validInputs(from, INPUTS[from.name] ?? []).slice(0, 60);
            const targets = SCALARS.filter(
                (to) =>
                    catalogCast(from.oid, to.oid) !== undefined && !/^reg|^xid/.test(to.name) && to.oid !== from.oid,
            );
            for (const to of targets) {
                const cast = castFunction(from.oid, to.oid, registry);
                expect(cast, `${from.name} to ${to.name}`).toBeDefined();
                const name = (type: typeof from): string =>
                    type.name === 'char' ? '"char"' : `pg_catalog.${type.name}`;
                const theirs = await oracle.each(
                    inputs.map((input) => `cast(${quote(input)}::${name(from)} as ${name(to)})`),
                );
                for (const [at, input] of inputs.entries()) {
                    const ours = attempt(() => {
                        const value = cast?.(from.parse(input, settings), settings) ?? null;
                        const text = value === null ? null : to.print(value, settings);
                        if (text !== null && to.name === 'bool') return text === 't' ? 'true' : 'false';
                        if (text !== null && to.name === 'bpchar') return text.trimEnd();
                        return text !== null && to.name === 'inet' && !text.includes('/')
                            ? `${text}${text.includes(':') ? '/128' : '/32'}`
                            : text;
                    });
                    expect({from: from.name, to: to.name, input, ...ours}).toEqual({
                        from: from.name,
                        to: to.name,
                        input,
                        ...theirs[at],
                    });
                }
            }
        });
    }

    it('through the text form reach any type from a string, and any string from a type', () => {
        const cast = (from: string, to: string, text: string): string => {
            const source = registry.byName(from);
            const target = registry.byName(to);
            if (source === undefined || target === undefined) throw new Error('no type');
            const value = castFunction(source.oid, target.oid, registry)?.(source.parse(text), settings) ?? null;
            return value === null ? 'NULL' : target.print(value, settings);
        };
        expect(cast('text', 'int4', ' 12 ')).toBe('12');
        expect(cast('text', '_int4', '{1,2}')).toBe('{1,2}');
        expect(cast('bpchar', 'uuid', 'a0eebc999c0b4ef8bb6d6bb9bd380a11  ')).toBe(
            'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
        );
        expect(cast('jsonb', 'text', '{"b":1}')).toBe('{"b": 1}');
        expect(cast('_int4', '_text', '{1,NULL}')).toBe('{1,NULL}');
        expect(cast('_int4', '_int8', '{{1},{2}}')).toBe('{{1},{2}}');
        expect(castFunction(16, 1082, registry)).toBeUndefined();
        expect(castContext(25, 23, registry)).toBe('explicit');
        expect(castContext(23, 25, registry)).toBe('assignment');
        expect(castContext(1007, 1016, registry)).toBe('implicit');
        expect(castContext(1007, 1005, registry)).toBe('assignment');
        expect(castContext(16, 1082, registry)).toBeUndefined();
    });

    it('to a domain apply the modifiers of its base, and a domain is cast as its base', () => {
        const own = new TypeRegistry();
        own.setDynamic([
            {
                kind: 'domain',
                oid: 90011,
                arrayOid: 90012,
                name: 'outer_code',
                schema: 'public',
                base: {oid: 90013, typmod: -1},
                notNull: true,
            },
            {
                kind: 'domain',
                oid: 90013,
                arrayOid: 90014,
                name: 'code',
                schema: 'public',
                base: {oid: 1043, typmod: 7},
                notNull: false,
            },
        ]);
        expect(castFunction(25, 90011, own)?.('abcdef', settings)).toBe('abc');
        expect(castFunction(90011, 23, own)?.('12', settings)).toBe(12);
        expect(castContext(90011, 25, own)).toBe('implicit');
        expect(own.require(90011).notNull).toBe(true);
        expect(own.require(90012).element?.oid).toBe(90011);
        own.setDynamic([]);
        expect(() => own.require(90011)).toThrow('type with OID 90011 does not exist');
    });
});
