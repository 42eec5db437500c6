/** Where the local file of a segment is. */
import {PgError} from '../../catalog/errors.ts';
import type {ObjectStore} from '../../storage/objects/object-store.ts';
import type {SegmentMeta} from '../../storage/segments/manifest.ts';

export function segmentPath(objects: ObjectStore, segment: SegmentMeta): string {
    const path = objects.localPath(segment.objectName);
    if (path === undefined) {
        throw new PgError('0A000', `segment ${segment.segmentId} is in a storage without local files`, {
            detail: `Object ${segment.objectName} can only be read where the storage is a directory.`,
        });
    }
    return path;
}
