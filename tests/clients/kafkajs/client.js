// kafkajs with the two verbs of ../README.md.
const fs = require('fs')
const { Kafka, CompressionTypes, CompressionCodecs, logLevel } = require('kafkajs')

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
const lz4 = require('lz4js')
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async encoder => Buffer.from(lz4.compress(encoder.buffer)),
  decompress: async buffer => Buffer.from(lz4.decompress(buffer)),
})
const zstd = require('@bokuweb/zstd-wasm')
const zstdReady = zstd.init()
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => (await zstdReady, Buffer.from(zstd.compress(encoder.buffer, 3))),
  decompress: async buffer => (await zstdReady, Buffer.from(zstd.decompress(buffer))),
})

const COMPRESSION = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}
// Records of one request.
const STEP = 500

function client(bootstrap) {
  const retry = { initialRetryTime: 50, maxRetryTime: 500, retries: 200 }
  return new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING, retry })
}

async function produce(bootstrap, topic, compression, file) {
  const producer = client(bootstrap).producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const lines = fs.readFileSync(file, 'ascii').trimEnd().split('\n')
  for (let start = 0; start < lines.length; start += STEP) {
    const messages = lines.slice(start, start + STEP).map(line => {
      const { p, k, v } = JSON.parse(line)
      return { partition: p, key: Buffer.from(k, 'base64'), value: Buffer.from(v, 'base64') }
    })
    await producer.send({ topic, compression: COMPRESSION[compression], acks: -1, messages })
    process.stderr.write(`acked ${start + messages.length}\n`)
  }
  await producer.disconnect()
}

async function join(bootstrap, topic, groupId) {
  const consumer = client(bootstrap).consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 1000 })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachBatch: async ({ batch, resolveOffset, heartbeat }) => {
      for (const { offset, key, value } of batch.messages) {
        const line = { p: batch.partition, o: Number(offset), k: key.toString('base64'), v: value.toString('base64') }
        fs.writeSync(1, JSON.stringify(line) + '\n')
        resolveOffset(offset)
      }
      await heartbeat()
    },
  })
  process.stdin.resume()
  await new Promise(ended => process.stdin.on('end', ended))
  await consumer.disconnect()
}

const [verb, ...rest] = process.argv.slice(2)
const verbs = { produce, join }
if (!verbs[verb]) {
  console.error('kafkajs consumes only as a member of a group')
  process.exit(2)
}
verbs[verb](...rest).then(
  () => process.exit(0),
  error => { console.error(error); process.exit(1) },
)
