select decision_id, decided_at, actor, decision, reactor, position, target, reason
from reaction_decision
where decision_id < $1
order by decision_id desc
limit $2
