import {describe, expect, it} from 'vitest';
import {JSON_DEPTH_MAX} from './json-reader.ts';
import {TypeRegistry} from './registry.ts';
import {DEFAULT_OUTPUT_SETTINGS} from './settings.ts';

const MOOD = {
    kind: 'enum',
    oid: 90001,
    arrayOid: 90002,
    name: 'mood',
    schema: 'app',
    labels: ['sad', 'ok', 'happy'],
} as const;

describe('the type registry', () => {
    it('finds built-in types by oid and by name, and refuses others with the right error', () => {
        const registry = new TypeRegistry();
        expect(registry.require(23).name).toBe('int4');
        expect(registry.byName('_timestamptz')?.element?.oid).toBe(1184);
        expect(registry.get(600)).toBeUndefined();
        expect(() => registry.require(600)).toThrow(expect.objectContaining({code: '0A000'}));
        expect(() => registry.require(16999)).toThrow(expect.objectContaining({code: '42704'}));
    });

    it('follows the enums of the catalog', () => {
        const registry = new TypeRegistry();
        registry.setDynamic([MOOD]);
        const mood = registry.require(MOOD.oid);
        expect(registry.byName('app.mood')).toBe(mood);
        expect(mood.parse('ok')).toBe('ok');
        expect(() => mood.parse('fine')).toThrow(
            expect.objectContaining({code: '22P02', message: 'invalid input value for enum mood: "fine"'}),
        );
        expect(['happy', 'sad', 'ok'].sort(mood.compare)).toEqual(['sad', 'ok', 'happy']);
        const moods = registry.require(MOOD.arrayOid);
        expect(moods.print(moods.parse('{sad,NULL,happy}'), DEFAULT_OUTPUT_SETTINGS)).toBe('{sad,NULL,happy}');
        registry.setDynamic([{...MOOD, labels: ['sad', 'meh', 'ok', 'happy'], sortOrders: [1, 1.5, 2, 3]}]);
        expect(registry.require(MOOD.oid).labels).toEqual(['sad', 'meh', 'ok', 'happy']);
    });

    it('refuses JSON nested too deeply, and reads what is just within the bound', () => {
        const jsonb = new TypeRegistry().require(3802);
        const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
        expect(jsonb.parse(nested(JSON_DEPTH_MAX))).toBe(nested(JSON_DEPTH_MAX));
        expect(() => jsonb.parse(nested(JSON_DEPTH_MAX + 1))).toThrow(expect.objectContaining({code: '54001'}));
    });

    it('reads now, today and tomorrow from the clock it is given', () => {
        const registry = new TypeRegistry();
        const settings = {...DEFAULT_OUTPUT_SETTINGS, timeZone: 'Asia/Tokyo', nowMicros: 72_000_000_000n};
        const read = (name: string, text: string): string | undefined => {
            const type = registry.byName(name);
            return type?.print(type.parse(text, settings), settings);
        };
        expect(read('timestamptz', 'now')).toBe('2000-01-02 05:00:00+09');
        expect(read('timestamp', 'now')).toBe('2000-01-02 05:00:00');
        expect(read('date', 'today')).toBe('2000-01-02');
        expect(read('date', 'tomorrow')).toBe('2000-01-03');
        expect(read('timestamptz', 'yesterday 10:00')).toBe('2000-01-01 10:00:00+09');
        expect(read('time', 'now')).toBe('05:00:00');
    });

    it('refuses text with a NUL', () => {
        const text = new TypeRegistry().require(25);
        expect(() => text.parse('a\0b')).toThrow(
            expect.objectContaining({code: '22021', message: 'invalid byte sequence for encoding "UTF8": 0x00'}),
        );
    });
});
