-- Wakes an idle worker if jobs are ready: sent by one that was woken and has no room. No ARGV. Returns nothing

if tonumber(redis.call('HGET', COUNTS, 'ready') or 0) > 0 then wake() end
