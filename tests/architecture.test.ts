/**
 * The folders are the architecture: this test keeps the direction of dependencies, the header and size of files, and
 * texts free of the places they were written in.
 */
import {readdirSync, readFileSync} from 'node:fs';
import {dirname, join, relative, resolve} from 'node:path';
import {describe, expect, test} from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const CODE_FOLDERS = ['wire', 'catalog', 'storage', 'src', 'tests', 'bench'] as const;
const TEXT_FOLDERS = [...CODE_FOLDERS, 'docs', 'docker', '.ci'] as const;
const LINES_MAX = 400;

/** Which folders a folder may import from, besides itself. Tests beside the source may also use tests/support. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
    wire: [],
    storage: [],
    catalog: ['storage'],
    src: ['wire', 'catalog', 'storage'],
    tests: ['wire', 'catalog', 'storage', 'src'],
    bench: ['wire', 'catalog', 'storage', 'src', 'tests'],
};

/** Paths of one machine, put together so that this file does not contain them. */
const MACHINE_PATHS = ['work', 'home', 'root', 'Users'].map((name) => new RegExp(`(?<![\\w.-])/${name}/\\w`));
const WORKPLACE_WORDS = [/\bissue #\d+/i, /\bTODO\b/, /\bFIXME\b/, /\bXXX\b/];

const codeFiles = CODE_FOLDERS.flatMap((folder) => filesUnder(folder)).filter((file) => file.endsWith('.ts'));

describe('direction of dependencies', () => {
    test.each(CODE_FOLDERS)('%s imports only from the folders it may know', (folder) => {
        const violations = codeFiles
            .filter((file) => file.startsWith(`${folder}/`))
            .flatMap((file) => importsOf(file).map((target) => ({file, target})))
            .filter(({file, target}) => !isAllowed(folder, file, target))
            .map(({file, target}) => `${file} imports ${target}`);
        expect(violations).toEqual([]);
    });
});

test('every file but a test opens with a comment that says what it is', () => {
    const bare = codeFiles.filter((file) => !file.endsWith('.test.ts') && !/^(#!.*\n)?\/\*\*/.test(read(file)));
    expect(bare).toEqual([]);
});

/** A report, not a verdict: a long file may say in its opening comment "Long because …". */
test(`files longer than ${LINES_MAX} lines are listed`, () => {
    const long = codeFiles.filter((file) => {
        const text = read(file);
        return text.split('\n').length > LINES_MAX + 1 && !/^\/\*\*[^]*?Long because[^]*?\*\//.test(text);
    });
    if (long.length > 0) console.warn(`longer than ${LINES_MAX} lines:\n${long.join('\n')}`);
    // A file this long has become several.
    expect(long.filter((file) => read(file).split('\n').length > 3 * LINES_MAX)).toEqual([]);
});

test('no default exports and no barrel files', () => {
    const violations = codeFiles.filter((file) => /^export (default|\* from)\b/m.test(read(file)));
    expect(violations).toEqual([]);
});

test('nothing names paths of one machine or leaves notes to its author', () => {
    const texts = [...TEXT_FOLDERS.flatMap((folder) => filesUnder(folder)), ...rootDocuments()]
        .filter((file) => /\.(ts|js|md|sh|yaml|sql|conf)$|Dockerfile$|\.ci\//.test(file))
        .filter((file) => file !== 'tests/architecture.test.ts');
    const violations = texts.flatMap((file) => {
        const text = read(file);
        return [...MACHINE_PATHS, ...WORKPLACE_WORDS]
            .filter((pattern) => pattern.test(text))
            .map((pattern) => `${file}: ${pattern.exec(text)?.[0]}`);
    });
    expect(violations).toEqual([]);
});

test('each dependency is explained in DEPENDENCIES.md', () => {
    const manifest = JSON.parse(read('package.json')) as Record<string, Readonly<Record<string, string>> | undefined>;
    const names = ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) =>
        Object.keys(manifest[kind] ?? {}),
    );
    const text = read('DEPENDENCIES.md');
    expect(names.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
});

function isAllowed(folder: string, file: string, target: string): boolean {
    const targetFolder = target.split('/')[0] ?? '';
    if (targetFolder === folder || !CODE_FOLDERS.some((known) => known === targetFolder)) return true;
    if (file.endsWith('.test.ts') && target.startsWith('tests/support/')) return true;
    return ALLOWED[folder]?.includes(targetFolder) ?? false;
}

/** Relative imports of a file, static and dynamic, as paths from the root. */
function importsOf(file: string): string[] {
    const matches = read(file).matchAll(/(?:from|import)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g);
    return [...matches].map((match) => relative(ROOT, resolve(ROOT, dirname(file), match[1] ?? '')));
}

function filesUnder(folder: string): string[] {
    return readdirSync(join(ROOT, folder), {recursive: true, withFileTypes: true})
        .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
        .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)));
}

function rootDocuments(): string[] {
    return readdirSync(ROOT).filter((name) => name.endsWith('.md'));
}

function read(file: string): string {
    return readFileSync(join(ROOT, file), 'utf8');
}
