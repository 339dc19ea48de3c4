/** What kind of network the vehicle hangs on, as the operating system or the configuration says it: it decides what bytes cost. */

export const NETWORK_CLASSES = ['wifi', 'cellular', 'metered', 'roaming', 'offline'] as const;
export type NetworkClass = (typeof NETWORK_CLASSES)[number];

/** The class that a text means that is none of them: rather too careful than a bill. */
export const UNKNOWN_NETWORK_CLASS: NetworkClass = 'metered';

/** The class that a hook of the operating system wrote; an unknown word is taken for `metered`. */
export function parseNetworkClass(text: string): NetworkClass {
  const word = text.trim().toLowerCase();
  return NETWORK_CLASSES.find((each) => each === word) ?? UNKNOWN_NETWORK_CLASS;
}

/** Where the network class comes from while the agent runs. */
export type NetworkClassSource = {
  readonly current: () => NetworkClass;
  /** Called when `current()` answers something else than before. */
  readonly onChange: (listener: () => void) => void;
};

/** A network that never changes its class. */
export function fixedNetworkClass(networkClass: NetworkClass): NetworkClassSource {
  return { current: () => networkClass, onChange: () => {} };
}
