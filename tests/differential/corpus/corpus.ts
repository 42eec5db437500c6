/** All statements that Tidewire and PostgreSQL must answer alike, by topic. */
import {changes} from './changes.ts';
import {errors} from './errors.ts';
import {expressions} from './expressions.ts';
import {queries} from './queries.ts';
import type {CorpusStatement} from './statement.ts';

export const CORPUS: readonly {readonly topic: string; readonly statements: readonly CorpusStatement[]}[] = [
    {topic: 'expressions', statements: expressions},
    {topic: 'queries', statements: queries},
    {topic: 'changes', statements: changes},
    {topic: 'errors', statements: errors},
];
