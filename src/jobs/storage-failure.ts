/** Errors of storage/ as clients know them. */
import {PgError} from '../../catalog/errors.ts';
import {StorageError, type StorageErrorKind} from '../../storage/errors.ts';

const CODES: Readonly<Record<StorageErrorKind, string>> = {
    corrupt: 'XX001',
    version: '0A000',
    locked: '55006',
    full: '53100',
    io: '58030',
    closed: '57P01',
    invalid: '22023',
};

/** Anything else is passed on as it is. */
export function storageFailure(error: unknown): unknown {
    return error instanceof StorageError ? new PgError(CODES[error.kind], error.message, {cause: error}) : error;
}
