// Read cases as a JSON array on standard input; print what iam-simulate decides of each, as a JSON array.
import { readFileSync } from 'node:fs'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const named = (policies) => policies.map((policy, index) => ({ name: `policy-${index}`, policy }))

async function decide(asked) {
  const decided = await runSimulation({
    request: {
      principal: asked.principal,
      action: asked.action,
      resource: { resource: asked.resource, accountId: asked.account },
      contextVariables: asked.keys,
    },
    identityPolicies: named(asked.identity),
    permissionBoundaryPolicies: asked.boundary ? named(asked.boundary) : undefined,
    resourcePolicy: asked.resource_policy ?? undefined,
    serviceControlPolicies: [],
    resourceControlPolicies: [],
  }, {})
  if (decided.resultType === 'error') return `refused: ${JSON.stringify(decided.errors)}`
  const ignored = decided.result?.ignoredContextKeys ?? []
  return ignored.length ? `refused: no key of this action: ${ignored}` : decided.overallResult
}

const decisions = []
for (const asked of JSON.parse(readFileSync(0, 'utf8'))) decisions.push(await decide(asked))
console.log(JSON.stringify(decisions))
