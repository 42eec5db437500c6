/** One thing that is measured: prepared once on each side, then run in turn. */
import type {Target} from './target.ts';

export interface BenchOptions {
    /** Length of each timed run of pgbench. */
    readonly seconds: number;
    /** pgbench's scale factor: 100,000 accounts each. */
    readonly scale: number;
    /** A directory for scripts and input files. */
    readonly directory: string;
}

export interface Measure {
    readonly name: string;
    readonly unit: string;
    /** For times and bytes less is better; the ratio is turned so that above 1 always favours the second side. */
    readonly better: 'higher' | 'lower';
    prepare(target: Target, options: BenchOptions): Promise<void>;
    run(target: Target, options: BenchOptions): Promise<number>;
}
