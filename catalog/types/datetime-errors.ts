/**
 * How reading a date, time, timestamp or interval fails, in PostgreSQL's words (DateTimeParseError in datetime.c).
 */
import {PgError} from '../errors.ts';
import {datetimeFieldOverflow, invalidDatetimeSyntax} from './input-errors.ts';

export type DatetimeFailure =
    'format' | 'field overflow' | 'month or day overflow' | 'interval overflow' | 'zone displacement';

export function datetimeError(failure: DatetimeFailure, typeName: string, text: string): PgError {
    switch (failure) {
        case 'format':
            return invalidDatetimeSyntax(typeName, text);
        case 'field overflow':
            return datetimeFieldOverflow(text);
        case 'month or day overflow':
            return new PgError('22008', `date/time field value out of range: "${text}"`, {
                hint: 'Perhaps you need a different "DateStyle" setting.',
            });
        case 'interval overflow':
            return new PgError('22015', `interval field value out of range: "${text}"`);
        default:
            return new PgError('22009', `time zone displacement out of range: "${text}"`);
    }
}

export function zoneNotRecognized(name: string): PgError {
    return new PgError('22023', `time zone "${name}" not recognized`);
}
