/**
 * A multipart upload as a stream: fields first, then one file, which is handed on while it arrives. Nothing of the file
 * is held in memory beyond the parser's chunk.
 */
import type { IncomingMessage } from "node:http";
import { Busboy, type BusboyInstance } from "@fastify/busboy";
import { FluxError } from "#lib/protocol/errors.ts";
import { UPLOAD_LIMITS } from "#lib/protocol/limits.ts";

export interface UploadedPart {
  readonly fields: Readonly<Record<string, string>>;
  /** As the client named it; shown back, never used as a path. */
  readonly filename: string;
  readonly source: AsyncIterable<Uint8Array>;
}

const FIELD_BYTES = 4096;
const FIELDS = 16;

/**
 * Parses the request and gives the file part to `take`. Fields that come after the file are in `fields` too once the
 * source has ended, so that `curl -F file=@… -F purpose=model` works in either order.
 * @returns what `take` returned, once the whole body was read
 */
export async function readMultipart<Taken>(
  request: IncomingMessage,
  take: (part: UploadedPart) => Promise<Taken>,
): Promise<Taken> {
  const contentType = request.headers["content-type"] ?? "";
  if (!/^multipart\/form-data\s*;/i.test(contentType)) {
    throw new FluxError(
      "unsupported_media_type",
      "Send the file as multipart/form-data, for example: curl -F purpose=model -F file=@model.onnx …",
    );
  }
  const parser = openParser(request, contentType);
  const fields: Record<string, string> = Object.create(null);
  let taken: Promise<Taken> | undefined;
  let refusal: FluxError | undefined;
  let stopFile: ((why: Error) => void) | undefined;

  const finished = new Promise<void>((resolve, reject) => {
    parser.on("field", (name, value, nameTruncated, valueTruncated) => {
      if (nameTruncated || valueTruncated) refusal ??= new FluxError("invalid_request", "A form field is too long.");
      else fields[name] = value;
    });
    parser.on("file", (name, file, filename) => {
      if (name !== "file" || taken) {
        refusal ??= new FluxError(
          "invalid_request",
          `Send one file, in the field "file"; "${name.slice(0, 80)}" came.`,
        );
        file.resume();
        return;
      }
      // Whoever reads `source` hears of errors; when nobody does any more, they must still not end the process.
      file.on("error", () => {});
      stopFile = (why) => file.destroy(why);
      let truncated = false;
      file.on("limit", () => {
        truncated = true;
      });
      const source = (async function* () {
        // A reader that stops early leaves the stream whole: the rest is read past, so that the answer can be sent.
        for await (const chunk of file.iterator({ destroyOnReturn: false })) yield chunk as Uint8Array;
        if (truncated) throw tooLarge();
      })();
      taken = take({ fields, filename: filename || "unnamed", source });
      taken.catch(() => file.resume());
    });
    parser.on("filesLimit", () => {
      refusal ??= new FluxError("invalid_request", 'Send one file at a time, in the field "file".');
    });
    parser.on("fieldsLimit", () => {
      refusal ??= new FluxError("invalid_request", `A form may have up to ${FIELDS} fields.`);
    });
    parser.on("finish", resolve);
    parser.on("error", (error) => reject(malformed(error)));
    request.on("aborted", () => reject(new FluxError("invalid_request", "The upload broke off.")));
  });
  request.pipe(parser);
  try {
    await finished;
    if (refusal) throw refusal;
    if (!taken) throw new FluxError("invalid_request", 'The form has no file: send it in the field "file".');
    return await taken;
  } catch (error) {
    request.unpipe(parser);
    stopFile?.(error instanceof Error ? error : new Error(String(error)));
    // The first cause is what the client can act on: too large, a wrong purpose, a broken connection.
    await taken?.catch((first: unknown) => {
      throw first;
    });
    throw error;
  }
}

function openParser(request: IncomingMessage, contentType: string): BusboyInstance {
  try {
    return new Busboy({
      headers: { ...request.headers, "content-type": contentType },
      limits: {
        fieldNameSize: 100,
        fieldSize: FIELD_BYTES,
        fields: FIELDS,
        files: 1,
        fileSize: UPLOAD_LIMITS.multipartBytes,
        headerPairs: 50,
        headerSize: 8192,
      },
    });
  } catch (error) {
    throw malformed(error);
  }
}

function tooLarge(): FluxError {
  return new FluxError(
    "payload_too_large",
    `A multipart upload may have up to ${UPLOAD_LIMITS.multipartBytes} bytes. Larger files go through /uploads (tus).`,
  );
}

function malformed(error: unknown): FluxError {
  const why = error instanceof Error ? error.message : String(error);
  return new FluxError("invalid_request", `The multipart body is malformed: ${why}.`);
}
