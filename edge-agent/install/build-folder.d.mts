export declare function buildFolder(out: string): { readonly out: string; readonly packages: readonly string[] };
