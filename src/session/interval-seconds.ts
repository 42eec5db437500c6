/** The seconds of an interval given as a time zone: `INTERVAL '-08:00' HOUR TO MINUTE`. */
import {PgError} from '../../catalog/errors.ts';
import type {Interval} from '../../catalog/types/datum.ts';
import {OID} from '../../catalog/types/oids.ts';
import {BUILTIN_TYPES} from '../../catalog/types/builtin.ts';

const MICROS_PER_SECOND = 1_000_000n;

export function parseInterval(text: string, shown: string): number {
    const type = BUILTIN_TYPES.find((candidate) => candidate.oid === OID.interval);
    const interval = type?.parse(text) as Interval;
    if (interval.months !== 0) {
        throw new PgError('22023', `invalid value for parameter "TimeZone": "${shown}"`, {
            detail: 'Cannot specify months in time zone interval.',
        });
    }
    if (interval.days !== 0) {
        throw new PgError('22023', `invalid value for parameter "TimeZone": "${shown}"`, {
            detail: 'Cannot specify days in time zone interval.',
        });
    }
    return Number(interval.micros / MICROS_PER_SECOND);
}
