# The headers of include/troupe and all of ours that they include, as they are
# installed: in a folder troupe/, and including each other from there, so that a
# host's include path has nothing else of ours.

# Writes them to TO/troupe, and removes what is no longer one of them.
function(troupe_public_headers TO)
  file(GLOB queue RELATIVE ${CMAKE_SOURCE_DIR} CONFIGURE_DEPENDS
       ${CMAKE_SOURCE_DIR}/include/troupe/*)
  set(all)
  while(queue)
    list(POP_FRONT queue header)
    list(APPEND all ${header})
    file(READ ${CMAKE_SOURCE_DIR}/${header} text)
    set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY
                 CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${header})
    string(REGEX MATCHALL "#include \"(core|actors|runtime)/[^\"]+" found
           "${text}")
    foreach(line ${found})
      string(REPLACE "#include \"" "" name "${line}")
      if(NOT name IN_LIST all AND NOT name IN_LIST queue)
        list(APPEND queue ${name})
      endif()
    endforeach()
    string(REGEX REPLACE "#include \"(core|actors|runtime)/"
           "#include \"troupe/\\1/" text "${text}")
    string(REGEX REPLACE "^include/troupe/" "" name ${header})
    file(CONFIGURE OUTPUT ${TO}/troupe/${name} CONTENT "${text}" @ONLY)
    list(APPEND written ${TO}/troupe/${name})
  endwhile()
  file(GLOB_RECURSE there ${TO}/troupe/*)
  foreach(file ${there})
    if(NOT file IN_LIST written)
      file(REMOVE ${file})
    endif()
  endforeach()
endfunction()
