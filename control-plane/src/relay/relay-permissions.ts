/** All that the relay of a region may do: its own streams beside it, and at the centre nothing but hand over. */
import { BUCKETS, type Permissions, STREAMS, subjects, SUBJECTS_OF_ALL } from '@fleetloop/schemas';

/** Streams that a relay makes and reads in its own JetStream domain. */
const REGIONAL_STREAMS = [
  STREAMS.regional,
  ...[BUCKETS.desired, BUCKETS.reported, BUCKETS.enrolled, BUCKETS.relayed].map((bucket) => `KV_${bucket}`),
] as const;

/** `name` is that of the relay, `hubDomain` the JetStream domain of the centre. */
export function relayPermissions(name: string, hubDomain: string): Permissions {
  return {
    publish: [
      '$JS.API.INFO',
      ...REGIONAL_STREAMS.flatMap((stream) => [
        `$JS.API.STREAM.INFO.${stream}`,
        `$JS.API.STREAM.CREATE.${stream}`,
        `$JS.API.CONSUMER.*.${stream}.>`,
        `$JS.API.CONSUMER.*.*.${stream}.>`,
        `$JS.API.DIRECT.GET.${stream}.>`,
      ]),
      `$JS.API.STREAM.UPDATE.${STREAMS.regional}`,
      '$JS.ACK.>',
      '$JS.FC.>',
      `$KV.${BUCKETS.relayed}.>`,
      `$JS.${hubDomain}.API.$KV.${BUCKETS.reported}.>`,
      SUBJECTS_OF_ALL.relayed,
      SUBJECTS_OF_ALL.receipt,
    ],
    subscribe: ['_INBOX.>', subjects.relayReceipt(name, '*')],
  };
}
