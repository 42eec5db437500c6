/**
 * From a setting's name (`hot_bytes_max`) to the name of its property (`hotBytesMax`), once for the compiler and once
 * for the running program. Both must give the same answer for every name.
 */

export type CamelCase<S extends string> = S extends `${infer Head}_${infer Tail}`
    ? `${Head}${Capitalize<CamelCase<Tail>>}`
    : S;

export function camelCase(name: string): string {
    return name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
