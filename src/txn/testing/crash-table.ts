/** The table of the crash test. */
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import {describeTable, TYPE} from './fixture.ts';

export const CRASH_TABLE: TableDescriptor = describeTable({
    tableId: 1,
    columns: {id: TYPE.int4, n: TYPE.int4},
    primaryKey: ['id'],
    indexes: [{columns: ['n']}],
});
