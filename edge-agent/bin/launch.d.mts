/** Node's flags for an agent. */
export declare const AGENT_NODE_FLAGS: readonly string[];
/** Environment of an agent; `cacheFolder` is absolute. */
export declare const agentEnvironment: (cacheFolder: string) => Readonly<Record<string, string>>;
