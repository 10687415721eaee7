"""What Redis does in one step, as Lua. Everything that must be true at once is asked at once.

One hash holds a database's whole state, so that it is lost as a whole or not at all (T-13):

    p            the members: one record of 47 characters for each proxy
                 (id 16, end of its lease in ms 13, pid of its sign of life 10, configuration 8);
                 a lease that ended at 0: the proxy is known to be gone, and only its locks stand
    q            until when a state that is new, or an older one that is back, is not used: a proxy
                 that is no member there, and has not yet found out, may be writing unheard (T-14)
    * and $      tokens of everything, and of the definitions
    r<oid> n<name>   a tag's token; missing means unknown, and whoever needs it makes a new one
    o<owner>     a lock: pid of the backend 10, when 13, then its tags, each with its length
    x and y      orders about single results: the list's version, and the list (``orders``)

A locked tag holds, instead of its token, ``L`` and the ids (24 characters) of its owners: the lock
*replaces* the token (T-10). Giving up the last lock deletes the field. Tokens are 16 random bytes,
so that no length can be taken for the other.

A script that renews the caller's lease has to be carried out before a deadline: else one that was
held up on its way would make a proxy look alive that has gone on without being heard since. To
write the members is the last that it does: where it ends in an error, nothing was renewed.

Every script begins by asking whether the caller is a member. One that is not (its state was lost,
or its lease ran out and somebody saw to its locks) is told so and does nothing. While another
member's lease has run out, nothing is served or filled: it may be writing without being heard.
One that is known to be gone writes no more; its backends may, under the locks that it left.
Times are Redis' own clock. Must not know: redis, the library.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1
from typing import Final

from pgcache.cache.shared.keys import VALUES
from pgcache.cache.shared.lua import COMMON

# Lengths that ``_COMMON`` takes apart.
MEMBER: Final = 16
OWNER: Final = 24  # a member's id, '-', and a number: no other cut of a list can look like one
RECORD: Final = 47

# What beats say of a state: an unused one is forgotten after a week, and most of its fields are
# tokens of tags, some 20 MB of them.
KEPT_MS: Final = 7 * 24 * 3600 * 1000
MOST_FIELDS: Final = 250_000


@dataclass(frozen=True, slots=True)
class Script:
    """A script's text, and the name by which Redis knows it once it has seen it."""

    name: str
    text: bytes
    sha: bytes


def build_scripts(process: str) -> dict[str, Script]:
    """All scripts, with texts that nobody else uses: ``process`` names it and its last attempt.

    A server that does not know them has not seen this process since it last loaded them: it has
    restarted, or it is another one after a failover, and may have lost what it was told (T-13).
    Redis 7 neither replicates nor saves scripts, so that this cannot be missed, and costs nothing.

    The first line has a server that is a replica now, or a primary that is short of replicas,
    refuse all of them, also where they would not come to write anything; one that is full carries
    out those that need next to nothing.
    """
    found = {}
    for name, body in _BODIES.items():
        first = "#!lua" if name in _SPACIOUS else "#!lua flags=allow-oom"
        body = body.replace("%VALUES%", str(VALUES))
        text = f"{first}\n-- {process} {name}\n{COMMON}\n{body}".encode()
        found[name] = Script(name, text, sha1(text, usedforsecurity=False).hexdigest().encode())
    return found


# KEYS: state. ARGV: id. Asks nothing but the time.
_CLOCK: Final = r"""
return {'ok', string.format('%013d', now)}
"""

# KEYS: state, channel. ARGV: id, lease ms, pid, configuration, lost ('': nothing; 'u': writes went
# unheard; 's': what was said to the last server), nonce (16), quarantine ms, deadline, the members
# that were seen last, the ids this process had before: they are gone, and their locks stand until
# it has told them again. Who was seen is a member of a new state too: he may not have found out.
_JOIN: Final = r"""
if is_late(tonumber(ARGV[8]), tonumber(ARGV[7])) then return {'late'} end
local lost = ARGV[5] ~= ''
local p = redis.call('HGET', state, 'p') or ''
local is_damaged = #p % 47 ~= 0
if ARGV[5] == 's' or is_damaged or redis.call('EXISTS', state) == 0 then
  redis.call('HSET', state, 'q', now + ARGV[7])
end
p = is_damaged and '' or note_time(p, ARGV[2], ARGV[7])
if tonumber(redis.call('HGET', state, 'q') or '0') > now then
  p = p .. not_listed(p, ARGV[9], now + ARGV[2])
end
for i = 10, #ARGV do p = as_gone(p, ARGV[i]) end
p = without(p, me) .. string.format('%s%013d%010d%s', me, now + ARGV[2], ARGV[3], ARGV[4])
if lost then
  move('*')
  redis.call('HSET', state, '$', ARGV[6])
  tell(KEYS[2], 's', ARGV[6])
else
  redis.call('HSETNX', state, '$', ARGV[6])
end
local schema = redis.call('HGET', state, '$')
redis.call('HSET', state, 'p', p)
return {'ok', schema}
"""

# KEYS: state. ARGV: id, the ids this process had before
_FORGET: Final = r"""
if standing() == 'gone' then return {'gone'} end
local p = redis.call('HGET', state, 'p')
for i = 2, #ARGV do
  for _, owner in ipairs(owners_of(ARGV[i])) do release(owner) end
  p = without(p, ARGV[i])
end
redis.call('HSET', state, 'p', p)
return {'ok'}
"""

# KEYS: state, own channel, leases… ARGV: id, lease ms, pid, number of the beat, days to keep in
# ms, configuration, deadline, quarantine ms, the most fields of the state, fences…
_BEAT: Final = r"""
if is_late(tonumber(ARGV[7]), tonumber(ARGV[8])) then return {'late'} end
local p = redis.call('HGET', state, 'p')
local record = record_of(p, me)
if not record or ends(record) == 0 then return {'gone'} end
p = note_time(p, ARGV[2], ARGV[8])
thin_out(tonumber(ARGV[9]))
local mine = string.format('%s%013d%010d%s', me, now + ARGV[2], ARGV[3], ARGV[6])
p = without(p, me) .. mine
redis.call('PEXPIRE', state, ARGV[5])
for i = 10, #ARGV do
  local lease = redis.call('GETRANGE', KEYS[i - 7], 0, 15)
  if lease == ARGV[i] then redis.call('PEXPIRE', KEYS[i - 7], ARGV[2]) end
end
redis.call('SPUBLISH', KEYS[2], 'b' .. me .. ARGV[4])
local q = redis.call('HGET', state, 'q') or '0'
redis.call('HSET', state, 'p', p)
return {'ok', p, string.format('%013d', now), q}
"""

# KEYS: state. ARGV: id
_LEAVE: Final = r"""
local p = redis.call('HGET', state, 'p')
if p and #owners_of(me) == 0 then redis.call('HSET', state, 'p', without(p, me)) end
return {'ok'}
"""

# KEYS: state, entry, lease. ARGV: id, nonce (12), definitions' token, limit, oldest ms, wishes
# (e: an entry, d: a described one, l: a lease, s: what is at hand is stale), fence (16), lease ms,
# the vector of what is at hand, the orders' version, the key's token by them, grace ms, tags…
_FETCH: Final = r"""
local is = standing()
if is ~= 'ok' then return {is} end
local wanted, schema = vector(13, ARGV[2])
if not wanted then return {'locked'} end
if schema ~= ARGV[3] then return {'schema', schema} end
local orders = redis.call('HGET', state, 'x') or ''
if orders ~= ARGV[10] then return {'orders', orders, redis.call('HGET', state, 'y') or ''} end
wanted = wanted .. ARGV[11]
local wishes, at_hand = ARGV[6], ARGV[9] == wanted
if at_hand and not string.find(wishes, 's', 1, true) then return {'same'} end
if string.find(wishes, 'e', 1, true) then
  local v = redis.call('GET', KEYS[2])
  if v and #v > 38 and string.sub(v, 39, 38 + #wanted) == wanted
      and string.sub(v, 1, 4) == 'pgc' .. string.char(%VALUES%)
      and struct.unpack('>H', string.sub(v, 11, 12)) * 16 == #wanted then
    local flags, rows = string.byte(v, 5), struct.unpack('>I4', string.sub(v, 7, 10))
    local age, left = now - tonumber(string.sub(v, 13, 25)), tonumber(string.sub(v, 26, 38)) - now
    local limit, late = tonumber(ARGV[4]), math.max(age - tonumber(ARGV[5]), -left)
    if (flags % 2 == 1 or (limit > 0 and limit <= rows))
        and (late < 0 or (left <= 0 and not at_hand and late < tonumber(ARGV[12])))
        and (flags % 4 >= 2 or not string.find(wishes, 'd', 1, true)) then
      return {'hit', wanted, age, left, redis.call('PTTL', KEYS[2]), v}
    end
  end
end
if at_hand then return {'same'} end
if string.find(wishes, 'l', 1, true) then
  local lease = redis.call('GET', KEYS[3])
  if lease and string.sub(lease, 17) == wanted then
    return {'busy', wanted, string.sub(lease, 1, 16), redis.call('PTTL', KEYS[3])}
  end
  redis.call('SET', KEYS[3], ARGV[7] .. wanted, 'PX', ARGV[8])
end
return {'miss', wanted}
"""

# KEYS: state. ARGV: id, fields… Returns their values, and the time, which is not before them.
_PEEK: Final = r"""
local out = {}
for from = 2, #ARGV, 1000 do
  local upto = math.min(from + 999, #ARGV)
  for i, v in ipairs(redis.call('HMGET', state, unpack(ARGV, from, upto))) do
    out[from - 2 + i] = v
  end
end
return {out, string.format('%013d', now)}
"""

# KEYS: state, entry, lease, channel. ARGV: id, fence ('': none), life ms, age ms, vector, the
# value before and after its times, the orders' version, the key's token by them, grace ms, tags…
# Without a value: whether what was read may be kept by the caller, for whom there was no room.
_FILL: Final = r"""
local fence, is = ARGV[2], standing()
local outcome = is
if is == 'ok' then
  local found = vector(11)
  if found and found .. ARGV[9] == ARGV[5] and (redis.call('HGET', state, 'x') or '') == ARGV[8]
  then outcome = ARGV[6] == '' and 'kept' or 'stored' else outcome = 'moved' end
end
if fence ~= '' then
  if redis.call('GETRANGE', KEYS[3], 0, 15) ~= fence then
    if outcome == 'stored' then outcome = 'overtaken' end
  else
    redis.call('DEL', KEYS[3])
  end
end
if outcome == 'stored' then
  local times = string.format('%013d%013d', now - ARGV[4], now + ARGV[3])
  redis.call('SET', KEYS[2], ARGV[6] .. times .. ARGV[7], 'PX', ARGV[3] + ARGV[10])
end
local told = outcome == 'stored' and '+' or outcome == 'kept' and '!' or '-'
if fence ~= '' then tell(KEYS[4], 'f', fence .. told) end
return {outcome}
"""

# KEYS: state, channel. ARGV: id, kind, text. Says something that changes nothing in the state.
_SAY: Final = r"""
tell(KEYS[2], ARGV[2], ARGV[3])
return {'ok'}
"""

# KEYS: state, lease, channel. ARGV: id, fence, '-' (others may try) or '!' (not worth it)
_RELEASE: Final = r"""
if redis.call('GETRANGE', KEYS[2], 0, 15) == ARGV[2] then redis.call('DEL', KEYS[2]) end
tell(KEYS[3], 'f', ARGV[2] .. ARGV[3])
return {'ok'}
"""

# KEYS: state, channel. ARGV: id, owner, pid, tags…
_LOCK: Final = r"""
if standing() == 'gone' then return {'gone'} end
local owner = ARGV[2]
for i = 4, #ARGV do
  local v = redis.call('HGET', state, ARGV[i])
  if not is_lock(v) then v = 'L' end
  if not string.find(v, owner, 2, true) then v = v .. owner end
  redis.call('HSET', state, ARGV[i], v)
end
local tags = pack(4)
redis.call('HSET', state, 'o' .. owner, string.format('%010d%013d', ARGV[3], now) .. tags)
tell(KEYS[2], 'm', tags)
return {'ok'}
"""

# KEYS: state, channel. ARGV: id, owner, the lock's tags…
_UNLOCK: Final = r"""
if standing() == 'gone' then return {'gone'} end
if release(ARGV[2]) then return {'ok'} end
for i = 3, #ARGV do give_up(ARGV[2], ARGV[i]) end
tell(KEYS[2], 'm', pack(3))
return {'ok'}
"""

# KEYS: state, channel. ARGV: id, the definitions' new token ('': they stay), tags…
_MOVE: Final = r"""
if standing() == 'gone' then return {'gone'} end
for i = 3, #ARGV do move(ARGV[i]) end
if ARGV[2] ~= '' then
  redis.call('HSET', state, '$', ARGV[2])
  tell(KEYS[2], 's', ARGV[2])
end
if #ARGV > 2 then tell(KEYS[2], 'm', pack(3)) end
return {'ok'}
"""

# KEYS: state, channel. ARGV: id, token (16), order, the most bytes and orders of the list
_ORDER: Final = r"""
if standing() == 'gone' then return {'gone'} end
local y, kept, pos = redis.call('HGET', state, 'y') or '', {}, 1
while pos < #y do
  local size = struct.unpack('>I4', string.sub(y, pos, pos + 3))
  local record = string.sub(y, pos, pos + 3 + size)
  if string.sub(record, 21) ~= ARGV[3] then kept[#kept + 1] = record end
  pos = pos + #record
end
kept[#kept + 1] = struct.pack('>I4', 16 + #ARGV[3]) .. ARGV[2] .. ARGV[3]
y = table.concat(kept)
if #y > tonumber(ARGV[4]) or #kept > tonumber(ARGV[5]) then
  move('*')
  tell(KEYS[2], 'm', struct.pack('>I4', 1) .. '*')
  y = ''
end
redis.call('HSET', state, 'x', ARGV[2], 'y', y)
tell(KEYS[2], 'o', ARGV[2] .. y)
return {'ok'}
"""

# KEYS: state. ARGV: id, another member. Returns its locks: owner, record, owner, …
_LOCKS: Final = r"""
if standing() == 'gone' then return {'gone'} end
local out = {'ok'}
for _, owner in ipairs(owners_of(ARGV[2])) do
  out[#out + 1] = owner
  out[#out + 1] = string.sub(redis.call('HGET', state, 'o' .. owner), 1, 23)
end
return out
"""

# KEYS: state, channel. ARGV: id, an absent member that is gone for good, the definitions' new token
# where it may have written unheard, else '', its owners whose backends are gone. It is forgotten
# when none is left, and until then nobody waits for it.
_CLEAR: Final = r"""
if standing() == 'gone' then return {'gone'} end
local p = redis.call('HGET', state, 'p')
local record = record_of(p, ARGV[2])
if record and ends(record) >= now then return {'back'} end
if ARGV[3] ~= '' and record and ends(record) > 0 then
  move('*')
  redis.call('HSET', state, '$', ARGV[3])
  tell(KEYS[2], 's', ARGV[3])
end
for i = 4, #ARGV do
  local tags = release(ARGV[i])
  if tags then tell(KEYS[2], 'm', tags) end
end
if #owners_of(ARGV[2]) > 0 then p = as_gone(p, ARGV[2]) else p = without(p, ARGV[2]) end
redis.call('HSET', state, 'p', p)
return {'ok'}
"""

_SPACIOUS: Final = frozenset({"fill"})  # what a full server refuses

_BODIES: Final = {
    "clock": _CLOCK,
    "join": _JOIN,
    "forget": _FORGET,
    "beat": _BEAT,
    "leave": _LEAVE,
    "fetch": _FETCH,
    "peek": _PEEK,
    "fill": _FILL,
    "keep": _FILL,
    "release": _RELEASE,
    "say": _SAY,
    "lock": _LOCK,
    "unlock": _UNLOCK,
    "move": _MOVE,
    "order": _ORDER,
    "locks": _LOCKS,
    "clear": _CLEAR,
}
