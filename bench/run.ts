/**
 * The same work on PostgreSQL and on Tidewire, in turn on one machine, several times. Each line has the medians of both
 * and the median of the pairs' ratios; a ratio above 1 means that Tidewire is better.
 *
 * Usage: npm run bench -- [--pairs 3] [--seconds 5] [--scale 10] [--second tidewire|postgres] [name…]
 * `--second postgres` compares PostgreSQL with itself: what differs then is noise.
 */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {parseArgs} from 'node:util';
import {requirePostgresProgram} from '../tests/support/debian-programs.ts';
import {BULK_MEASURES} from './bulk-measures.ts';
import {POINT_MEASURES} from './point-measures.ts';
import {startTarget} from './target.ts';
import type {BenchOptions, Measure} from './measure.ts';
import type {Target, TargetKind} from './target.ts';

const MEASURES: readonly Measure[] = [...POINT_MEASURES, ...BULK_MEASURES];

await main().catch((error: Error) => {
    console.error(`bench: ${error.message}`);
    process.exitCode = 1;
});

async function main(): Promise<void> {
    const {values, positionals} = parseArgs({
        allowPositionals: true,
        options: {
            pairs: {type: 'string', default: '3'},
            seconds: {type: 'string', default: '5'},
            scale: {type: 'string', default: '10'},
            second: {type: 'string', default: 'tidewire'},
        },
    });
    const chosen = chooseMeasures(positionals);
    if (values.second !== 'tidewire' && values.second !== 'postgres') {
        throw new Error('--second is tidewire or postgres');
    }
    for (const program of ['postgres', 'pgbench', 'psql'] as const) requirePostgresProgram(program);
    const directory = mkdtempSync(join(tmpdir(), 'tidewire-bench-'));
    const options = {seconds: atLeast1(values.seconds), scale: atLeast1(values.scale), directory};
    try {
        await compareAll(chosen, values.second, atLeast1(values.pairs), options);
    } finally {
        rmSync(directory, {recursive: true, force: true});
    }
}

async function compareAll(
    measures: readonly Measure[],
    second: TargetKind,
    pairs: number,
    options: BenchOptions,
): Promise<void> {
    const first = await startTarget('postgres');
    try {
        const other = await startTarget(second);
        try {
            const heading = [...['measure', 'postgres', second, 'ratio'].map(pad), 'unit'];
            console.log(heading.join(' '));
            for (const measure of measures) console.log(await compare(measure, first, other, pairs, options));
        } finally {
            await other.stop();
        }
    } finally {
        await first.stop();
    }
}

async function compare(
    measure: Measure,
    first: Target,
    second: Target,
    pairs: number,
    options: BenchOptions,
): Promise<string> {
    const firstValues: number[] = [];
    const secondValues: number[] = [];
    let side = first;
    try {
        for (side of [first, second]) await measure.prepare(side, options);
        for (let pair = 0; pair < pairs; pair++) {
            // The order within a pair alternates: whoever runs second finds a warmer or a more tired machine.
            const order = pair % 2 === 0 ? [first, second] : [second, first];
            for (side of order) {
                const value = await measure.run(side, options);
                (side === first ? firstValues : secondValues).push(value);
            }
        }
    } catch (error) {
        return `${pad(measure.name)} failed on ${side === first ? 'postgres' : second.kind}: ${(error as Error).message}`;
    }
    const ratios = firstValues.map((value, pair) => {
        const ratio = (secondValues[pair] ?? Number.NaN) / value;
        return measure.better === 'higher' ? ratio : 1 / ratio;
    });
    const cells = [format(median(firstValues)), format(median(secondValues)), `${median(ratios).toFixed(2)}x`];
    return [measure.name, ...cells].map(pad).join(' ') + ` ${measure.unit}`;
}

function chooseMeasures(names: readonly string[]): readonly Measure[] {
    if (names.length === 0) return MEASURES;
    return names.flatMap((name) => {
        const found = MEASURES.filter((measure) => measure.name.startsWith(name));
        if (found.length === 0) {
            throw new Error(`no measure "${name}"; there are ${MEASURES.map((measure) => measure.name).join(', ')}`);
        }
        return found;
    });
}

function atLeast1(text: string): number {
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1) throw new Error(`"${text}" is not a whole number above 0`);
    return value;
}

function median(values: readonly number[]): number {
    const sorted = [...values].sort((left, right) => left - right);
    const middle = Math.floor(sorted.length / 2);
    const upper = sorted[middle] ?? Number.NaN;
    return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

function format(value: number): string {
    return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);
}

function pad(text: string): string {
    return text.padEnd(18);
}
