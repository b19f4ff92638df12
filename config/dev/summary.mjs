// Adds up the results the test runs left as JSON: names what failed or did not run, and prints one line. Fails when a test failed, was skipped or none ran.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = process.argv[2] ?? '.'
const results = readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')))
const sum = (count) => results.reduce((total, result) => total + count(result), 0)
const passed = sum((result) => result.numPassedTests)
const failed = sum(
  (result) => result.numFailedTests + result.numFailedTestSuites * (result.numFailedTests === 0 ? 1 : 0),
)
const skipped = sum((result) => result.numPendingTests + result.numTodoTests)
for (const result of results) for (const file of result.testResults) tell(file)
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed > 0 || skipped > 0 || passed === 0 ? 1 : 0

/** The log of a whole run is long; what stands between it and a landing is to be read at its end. */
function tell({ name, status, message, assertionResults }) {
  const wrong = assertionResults.filter((test) => test.status !== 'passed')
  if (wrong.length === 0 && status === 'failed') console.log(`FAILED: ${name}\n${message}`)
  for (const test of wrong) {
    const isFailure = test.status === 'failed'
    console.log(`${isFailure ? 'FAILED' : 'not run'}: ${test.fullName} (${name})`)
    if (isFailure) console.log(test.failureMessages.join('\n'))
  }
}
