/**
 * Named places at which a test can make the server die as if its power was cut. A part of the database that has such a
 * place takes a `FaultPointReached` and calls it there; outside of tests that call does nothing.
 *
 * What must stay true: a point is only a name and a call, so that the program takes the same way with and without it.
 */

export const FAULT_POINTS = [
    /** The group is written to the commit log, not yet synced. */
    'commit.log-written',
    /** The group is durable, nobody was told. */
    'commit.log-synced',
    /** The segment is an object in the store, unverified; no manifest names it. */
    'flush.segment-written',
    /** The segment is verified; no manifest names it. */
    'flush.segment-verified',
    /** The commit that adds the segment and removes its hot row versions is durable, not yet applied. */
    'flush.manifest-logged',
    /** The flush is applied, its caller was not told. */
    'flush.applied',
    /** The twin has run the DDL of a transaction; the commit log does not have it. */
    'ddl.before-record',
    /** The commit log has it, the twin has not committed. */
    'ddl.recorded',
    'compact.segment-written',
    'compact.manifest-logged',
] as const;

export type FaultPoint = (typeof FAULT_POINTS)[number];
export type FaultPointReached = (point: FaultPoint) => void;

/** Dies at `chosen`; '' never does. SIGKILL leaves no handler a chance to tidy up, as a crash does not. */
export function dieAt(chosen: FaultPoint | ''): FaultPointReached {
    if (chosen === '') return () => {};
    return (point) => {
        if (point === chosen) process.kill(process.pid, 'SIGKILL');
    };
}
