"""What all scripts begin with: who is a member, what a lock is, how a vector is put together.

Counterpart: ``scripts`` says what is in the state, and what is done with this.
"""

from __future__ import annotations

from typing import Final

COMMON: Final = r"""
local state, me = KEYS[1], ARGV[1]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

-- 'ok'; 'gone': not a member; 'absent': another member's lease has run out, or the state is new,
-- or the clock has gone back
local function standing()
  local found = redis.call('HMGET', state, 'p', 'q', 't')
  local p, q, t = found[1], found[2], found[3]
  if not p then return 'gone' end
  local known, absent = false, q and tonumber(q) > now or t and tonumber(t) > now
  for i = 1, #p, 47 do
    local ends = tonumber(string.sub(p, i + 16, i + 28))
    if string.sub(p, i, i + 15) == me then known = ends > 0
    elseif ends > 0 and ends < now then absent = true end
  end
  if not known then return 'gone' end
  if absent then return 'absent' end
  return 'ok'
end

local function is_lock(v) return v and #v ~= 16 end

-- the tokens of everything, the definitions and ARGV[first..], as one string; those that are
-- missing are made of the nonce where there is one. nil where one is locked, or cannot be made
local function vector(first, nonce)
  local names = {'*', '$'}
  for i = first, #ARGV do names[#names + 1] = ARGV[i] end
  local out = {}
  for from = 1, #names, 1000 do
    local upto = math.min(from + 999, #names)
    local found = redis.call('HMGET', state, unpack(names, from, upto))
    for i = from, upto do
      local v = found[i - from + 1]
      if not v then
        if not nonce then return nil end
        v = nonce .. struct.pack('>I4', i)
        redis.call('HSET', state, names[i], v)
      elseif is_lock(v) then return nil end
      out[i] = v
    end
  end
  return table.concat(out), out[2]
end

-- kill what depends on a tag; one that is locked is dead already, and stays locked
local function move(tag)
  if not is_lock(redis.call('HGET', state, tag)) then redis.call('HDEL', state, tag) end
end

local function give_up(owner, tag)
  local v = redis.call('HGET', state, tag)
  if not is_lock(v) then
    if v then redis.call('HDEL', state, tag) end
    return
  end
  local kept = 'L'
  for i = 2, #v, 24 do
    local other = string.sub(v, i, i + 23)
    if other ~= owner then kept = kept .. other end
  end
  if kept == 'L' then redis.call('HDEL', state, tag) else redis.call('HSET', state, tag, kept) end
end

-- release a lock whose record is known; its tags as they are packed
local function release(owner)
  local record = redis.call('HGET', state, 'o' .. owner)
  if not record then return nil end
  local tags, pos = string.sub(record, 24), 1
  while pos < #tags do
    local size = struct.unpack('>I4', string.sub(tags, pos, pos + 3))
    give_up(owner, string.sub(tags, pos + 4, pos + 3 + size))
    pos = pos + 4 + size
  end
  redis.call('HDEL', state, 'o' .. owner)
  return tags
end

local function pack(first)
  local out = {}
  for i = first, #ARGV do out[#out + 1] = struct.pack('>I4', #ARGV[i]) .. ARGV[i] end
  return table.concat(out)
end

local function owners_of(member)
  local out, cursor = {}, '0'
  repeat
    local step = redis.call('HSCAN', state, cursor, 'MATCH', 'o' .. member .. '*', 'COUNT', 1000)
    cursor = step[1]
    for i = 1, #step[2], 2 do out[#out + 1] = string.sub(step[2][i], 2) end
  until cursor == '0'
  return out
end

local function without(p, member)
  local out = ''
  for i = 1, #p, 47 do
    if string.sub(p, i, i + 15) ~= member then out = out .. string.sub(p, i, i + 46) end
  end
  return out
end

-- a member's record, nil where it is none; its lease's end is 0 where it is gone
local function record_of(p, member)
  for i = 1, p and #p or 0, 47 do
    if string.sub(p, i, i + 15) == member then return string.sub(p, i, i + 46) end
  end
end

-- those of a list that are not in another, with leases that end then
local function not_listed(p, list, ends)
  local out = ''
  for i = 1, #list, 47 do
    local id = string.sub(list, i, i + 15)
    if tonumber(string.sub(list, i + 16, i + 28)) > 0 and not record_of(p, id) then
      out = out .. id .. string.format('%013d', ends) .. string.sub(list, i + 29, i + 46)
    end
  end
  return out
end

local function as_gone(p, member)
  local record = record_of(p, member)
  if not record then return p end
  return without(p, member) .. member .. string.rep('0', 13) .. string.sub(record, 30)
end

local function ends(record) return tonumber(string.sub(record, 17, 29)) end

-- Note how late it is. Where the clock has gone back, leases and lifetimes seem to last longer than
-- they do: everything moves, no lease lasts longer than the caller's, and nothing is used until all
-- have had the time to notice. Returns the members.
local function note_time(p, lease, quarantine)
  local t = tonumber(redis.call('HGET', state, 't') or '0')
  if t <= now + 20 then
    redis.call('HSET', state, 't', string.format('%013d', math.max(t, now)))
    return p
  end
  move('*')
  redis.call('HSET', state, 'q', now + quarantine, 't', string.format('%013d', now))
  local out = ''
  for i = 1, #p, 47 do
    local last = math.min(tonumber(string.sub(p, i + 16, i + 28)), now + lease)
    local id, rest = string.sub(p, i, i + 15), string.sub(p, i + 29, i + 46)
    out = out .. id .. string.format('%013d', last) .. rest
  end
  return out
end

-- Tags may be made up without end: of too many some lose their tokens, so that what depends on them
-- is dead. At random, and few at once: nobody is kept waiting, and no list has to be kept.
local function thin_out(most)
  if redis.call('HLEN', state) <= most then return end
  local found = redis.call('HRANDFIELD', state, 1000, 'WITHVALUES')
  for i = 1, #found, 2 do
    local kind = string.sub(found[i], 1, 1)
    if (kind == 'r' or kind == 'n') and not is_lock(found[i + 1]) then
      redis.call('HDEL', state, found[i])
    end
  end
end

-- whether a deadline has passed, or is one of before the clock went back
local function is_late(deadline, longest) return now > deadline or deadline > now + longest end

local function tell(channel, kind, text) redis.call('SPUBLISH', channel, kind .. me .. text) end
"""
