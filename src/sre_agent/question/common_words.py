"""Common words of questions to an SRE: in the place of a name, they are no name."""

from __future__ import annotations

_WORDS = """
a able about above access across act acting action active actually add affected after afternoon again against agent ago ahead
ain alert alerts alive all allowed almost alone already alright also always am amber amongst amount an and another any anybody
anyone anything anyway anyways app apparently application applications apps april are area around as asap aside ask asleep
assistant at august availability available average avg away back backup bad badly balance bandwidth baseline be because been
before began begin beginning behave behaving being below besides best better between big bit borked both bottleneck bounced
boxes break breaking breathing briefly bring bro broke broken bug build bumped burning busted busy but by call called caller
calls came can capacity care case catch cause caused causes causing certificate certificates chance change changed changes
changing chat chatgpt check checked checking chewing child choking clean clear clearly client close cluster clusters code come
comes coming common company compare compared compares comparing comparison complain complaining component components concerning
condition conditions config configuration configurations connect connection connections consume consumes consuming consumption
contact container containers contrast control cordon cordoned cordons core cores correct correlate correlated correlation could
count course cpu cpus crash crashed crashes crashing crashloop crashy critical current currently customer customers daemonset
data database databases date day days db dead deal death december decide degraded delete deliver deploy deployed deploying
deployment deployment's deployments deploys describe detail details detect diagnose diagnosis did die died dies difference
different disk dns do docs document documentation does doing done down downtime drain drained drop dropped dude due dump during
dying each earlier early eating eats else email end endpoint endpoints engineer engineers enough entire entries entry enumerate
environment error errors escalate escalated escalation escalations evening ever ever-so every everybody everyone everything
everywhere evict exact exactly examine example except exception exceptions excluding exhausted exist exists expect expected
expert explain exploding fail failed failing fails failure failures far fast fatal fault faults faulty february feel feeling
feels few fewer figure figures file files find fine finish fire fired fires first fishy fit five fix fixed flaky flapping
flooding flow following for forever found four free frequently fresh friday from frozen fubar full funny further gateway gb
general get gets getting gib gimme give given go goes going gone gonna good got grab graph green group grow growing grows guide
guides guys had half hammered hammering hand handle handled handling hang hanging happen happened happening happens hard has
hate have having haywire he health healthcheck healthy heard hell hello help her here hey hi hiccup hiccuping hiccups high
higher highest highlight him histories history hit hmm hogging hogs hold hosed host hostname hosts hot hotter hour hours how
hows hr hung i id idea identify idle if image images immediately impact impacted important in inbound incident incidents
including increase increased indicate info inform information infrastructure inside inspect instance instances instead
instructions into investigate investigation involved is issue issues it its itself january job jobs joke july june just kaputt
keep keeps kernel kill killed killing kills kind kindly know known kube kubectl kubelet kubernetes lag lagging laggy large last
lasted late lately latencies latency later latest lead leak leaking leaks leaning least left lemme less let level levels like
limit limits line lines list listed listen little live lmk load loaded local log logged logging logs long longer look looking
looks loop loops lost lot low lower lowest machine machines main make makes manage manager many march matter max maximum may
maybe mb me mean meaning means measure melting member memory mention message messages messed metric metrics mi mib microservice
might millicores min mine minimum minute minutes misbehave misbehaving miss missing moaning moment momentarily monday monitor
month more morning most mostly ms much must my name named names namespace namespaces nasty nearest need needed needs network
never new newest news next nice night no nobody node nodes noisy none noon normal not note nothing notify november now number
numbers object occur occurred october oddly of off offenders offline often oh ok okay old oldest om on oncall once one ones
ongoing online only oom oomkilled open opened operator option or order orders other others our ours out outage outages output
outs over overall overload overloaded overview own owner owners owns p50 p90 p95 p99 page paged pager pages panic part
particular parts past payload people per percent percentage performance performing period permission permissions person persons
phone pick piece pile piling place platform play playbook playbooks playing please plot plotted plz pod pods point policy port
ports possible pressure prevent previous previously print printed prints prior probably probe probes problem problems procedure
procedures process prod production properly provide proxy pull pulling pulls put qps quarter queries question questions queue
quick quickly quiet quite quota quotas rank ranked rate rates rather reach reachable read readiness ready real really reason
reasons reboot rebooted recent recently recommend record records recover recovered red reduce refused regarding region related
release released releases reliable remaining remove replica replicas report reported reports request requests resource resources
respond responding responds response responses responsible restart restarted restarting restarts result results return returned
returning revert reverted review revision revisions rid right rising role roll rollback rolled rolling rollout rollouts roof
root rps run runbook runbooks running runs safe said same sane saturated saturday saw say saying says scale scaled scaling
schedule scheduled screen script search sec second seconds secret section see seem seemed seems seen sent september server
servers service services set several severe severity shape she shift shop should show showing shown shows shut shutdown sick
side sideways sign signs simple since single site situation size slow slower slowing slowly slowness sluggish small smoking so
solve some somebody someone something sometimes someway somewhere soon sort sorted source space spamming specific speed spewing
spike spikes spiking spinner spinning spit stable stack stacktrace staging start started starting starts startup state
statefulset stats status stderr stdout steady step steps still stop stopped stopping storage store stores strange stuck stuff
stuttering succeed success such suddenly suffer suffering sum summarise summarize summarized summary sunday support supposed
supposedly sure suspicious svc system systems tail take taken takes tanked tanking tell tells ten terminated test text than
thank thanks that the their them then there these they thing things think this those three threshold throughput throw throwing
thrown throws thursday tight tighten time timeline timeout timeouts times toast today together told tomorrow tonight too took
tool tools top total touched trace traces traffic trend trends tried trigger triggered trouble troubled troubles troubleshoot
troubleshooting true try trying tuesday turn two type typical ugh unavailable under undo unhappy unhealthy unit unknown
unreachable unready until up update updated updates upgrade uptime us usage use used user users uses using usual usually utc
utilisation utilization value values verify version versions versus very via view visualise visualize volume volumes vs wait
waiting wake wanna want wanted wants warn warning warnings was watch way we website wednesday week weeks weird weirdly well went
were what whatever whats when where whereas wheres whether which while whining who whole whom whose why will wise with within
without wobbly wonder wondering wonky work worked worker workers working workload workloads works world worry worse worst would
write writes writing written wrong year yes yesterday yet yikes you your zero zone
"""
COMMON = frozenset(_WORDS.split())
