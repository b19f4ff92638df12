// A process that asks the daemon at a socket and says what came of it.
import { connect } from '../../dist/control/client.js'

try {
  await connect(process.argv[2], AbortSignal.timeout(5000))
  console.log('connected')
} catch (thrown) {
  console.log(thrown.message)
}
