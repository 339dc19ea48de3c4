/**
 * Why: the one question that tells whether a gRPC server serves (grpc.health.v1.Health/Check) is two fields long, so it
 * is asked over node:http2 and the simulator needs no gRPC library.
 */
import { once } from 'node:events';
import { connect } from 'node:http2';

/** Compression flag and length that precede each gRPC message. */
const FRAME_HEADER_BYTES = 5;
/** HealthCheckResponse { status: SERVING }: field 1, varint 1. */
const SERVING = Buffer.from([0x08, 0x01]);
/** Field 1, length-delimited: the name of the service. */
const SERVICE_FIELD_TAG = 0x0a;
const SERVICE_NAME_BYTES_MAX = 127;
const REPLY_BYTES_MAX = 1_024;

/** Whether the server at host:port says that it serves `service`; rejects when it does not answer. */
export async function isServingGrpc(address: string, service: string, signal: AbortSignal): Promise<boolean> {
  const session = connect(`http://${address}`);
  try {
    await once(session, 'connect', { signal });
    const stream = session.request(
      {
        ':method': 'POST',
        ':path': '/grpc.health.v1.Health/Check',
        'content-type': 'application/grpc',
        te: 'trailers',
      },
      { signal },
    );
    stream.end(healthRequest(service));
    const parts: Buffer[] = [];
    for await (const part of stream as AsyncIterable<Buffer>) {
      parts.push(part);
      if (Buffer.concat(parts).length > REPLY_BYTES_MAX) return false;
    }
    return Buffer.concat(parts).subarray(FRAME_HEADER_BYTES).equals(SERVING);
  } finally {
    session.destroy();
  }
}

function healthRequest(service: string): Buffer {
  const name = Buffer.from(service, 'utf8');
  if (name.length > SERVICE_NAME_BYTES_MAX) throw new RangeError(`service name over ${SERVICE_NAME_BYTES_MAX} bytes`);
  const message = Buffer.concat([Buffer.from([SERVICE_FIELD_TAG, name.length]), name]);
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}
